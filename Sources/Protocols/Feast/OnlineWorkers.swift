import Basics
import Features
import Synchronization

/// Threads that answer what the network loops do not: where features are read over a network, and requests for so much
/// that others on the loop would have to wait.
final class OnlineWorkers: Sendable {
    private struct Line {
        var idle: [Int]
        var waiting: [CheckedContinuation<Int, Never>] = []
    }

    /// What became of a request, with bytes of its own.
    enum Outcome: Sendable {
        case answered([UInt8])
        case needsReader(OnlineSelection)
    }

    private let sessions: [OnlineSession]
    private let threads: [BlockingThread]
    private let line: Mutex<Line>

    /// - Parameter sessions: one for each thread.
    init(_ sessions: [OnlineSession]) {
        self.sessions = sessions
        threads = sessions.indices.map { BlockingThread(name: "feast.\($0)") }
        line = Mutex(Line(idle: Array(sessions.indices)))
    }

    /// Answers one request on the next thread that is free.
    /// - Throws: what ``OnlineSession/answer(_:asFeast:reader:onLoop:)`` throws.
    func answer(_ body: [UInt8], asFeast: Bool, reader: OnlineReader?) async throws -> Outcome {
        let index = await withCheckedContinuation { continuation in
            let index = line.withLock { line -> Int? in
                guard let index = line.idle.popLast() else {
                    line.waiting.append(continuation)
                    return nil
                }
                return index
            }
            if let index { continuation.resume(returning: index) }
        }
        defer {
            let next = line.withLock { line -> CheckedContinuation<Int, Never>? in
                guard line.waiting.isEmpty else { return line.waiting.removeFirst() }
                line.idle.append(index)
                return nil
            }
            next?.resume(returning: index)
        }
        return try await threads[index].run { [session = sessions[index]] in
            let outcome = try body.withUnsafeBytes {
                switch try session.answer($0, asFeast: asFeast, reader: reader, onLoop: false) {
                case .answered(let bytes): Outcome.answered([UInt8](bytes))
                case .needsReader(let selection): Outcome.needsReader(selection)
                case .tooMuchForLoop: throw FeastFailure.value("the request is too large", remedy: nil)
                }
            }
            return outcome
        }
    }
}
