import Basics
import Foundation
import Synchronization

/// Reading connections, each with a thread of its own. A read goes to an idle one, or waits its turn.
final class Readers: Sendable {
    typealias Job = @Sendable (Result<Connection, SQLFailure>) -> Void

    private final class Reader: Sendable {
        let queue: DispatchQueue
        let connection: Mutex<Connection?>

        init(_ index: Int, _ connection: sending Connection) {
            queue = DispatchQueue(label: "modelworks.sql.reader.\(index)", qos: .userInitiated)
            self.connection = Mutex(connection)
        }
    }

    private struct State {
        var idle: [Int]
        var waiting: [Job] = []
    }

    private let path: String
    private let readers: [Reader]
    private let state: Mutex<State>

    init(path: String, count: Int, busyMilliseconds: Int32) throws {
        self.path = path
        readers = try (0..<max(1, count)).map { index in
            Reader(index, try Connection(path: path, writable: false, busyMilliseconds: busyMilliseconds))
        }
        state = Mutex(State(idle: Array(readers.indices)))
    }

    func submit(_ job: @escaping Job) {
        let index = state.withLock { state -> Int? in
            guard let index = state.idle.popLast() else {
                state.waiting.append(job)
                return nil
            }
            return index
        }
        if let index { start(job, on: index) }
    }

    func close() async {
        for reader in readers {
            await withCheckedContinuation { continuation in
                reader.queue.async {
                    reader.connection.withLock { $0 = nil }
                    continuation.resume()
                }
            }
        }
    }

    private func start(_ first: @escaping Job, on index: Int) {
        let reader = readers[index]
        reader.queue.async { [self] in
            var next: Job? = first
            while let job = next {
                reader.connection.withLock { connection in
                    job(connection.map { .success($0) } ?? .failure(.closed(path: path)))
                }
                next = state.withLock { state in
                    guard !state.waiting.isEmpty else {
                        state.idle.append(index)
                        return nil
                    }
                    return state.waiting.removeFirst()
                }
            }
        }
    }
}
