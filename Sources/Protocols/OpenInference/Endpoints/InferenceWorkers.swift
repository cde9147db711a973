import Basics
import Synchronization

/// Threads that answer infer requests off the network loops: where features are read over a network, a loop that waited
/// would hold up every other connection on it.
final class InferenceWorkers: Sendable {
    private struct Line {
        var idle: [Int]
        var waiting: [CheckedContinuation<Int, Never>] = []
    }

    private let sessions: [InferenceSession]
    private let threads: [BlockingThread]
    private let line: Mutex<Line>

    /// - Parameter sessions: one for each thread.
    init(_ sessions: [InferenceSession]) {
        self.sessions = sessions
        threads = sessions.indices.map { BlockingThread(name: "inference.\($0)") }
        line = Mutex(Line(idle: Array(sessions.indices)))
    }

    /// Runs `body` with a session of its own, on the next thread that is free.
    /// - Throws: what `body` throws.
    func run<Result: Sendable>(_ body: @escaping @Sendable (InferenceSession) throws -> Result) async throws -> Result {
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
        return try await threads[index].run { [session = sessions[index]] in try body(session) }
    }
}
