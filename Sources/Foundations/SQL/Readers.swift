import Basics
import Foundation
import Synchronization

/// Reading connections, each with a thread of its own. A read goes to an idle one, or waits its turn.
final class Readers: Sendable {
    typealias Job = @Sendable (Result<any Snapshots, SQLFailure>) -> Void

    private final class Reader: Sendable {
        let queue: DispatchQueue
        let snapshots: Mutex<(any Snapshots)?>

        init(_ index: Int, _ snapshots: sending any Snapshots) {
            queue = DispatchQueue(label: "modelworks.sql.reader.\(index)", qos: .userInitiated)
            self.snapshots = Mutex(snapshots)
        }
    }

    private struct Waiting {
        let job: Job
        let since: UInt64
    }

    private struct State {
        var idle: [Int]
        var waiting: [Waiting] = []
    }

    private let path: String
    private let readers: [Reader]
    private let state: Mutex<State>
    private let metrics: SQLMetrics

    init(path: String, count: Int, metrics: SQLMetrics, make: () throws -> sending any Snapshots) throws {
        self.path = path
        self.metrics = metrics
        var readers: [Reader] = []
        for index in 0..<max(1, count) { readers.append(Reader(index, try make())) }
        self.readers = readers
        state = Mutex(State(idle: Array(readers.indices)))
    }

    func submit(_ job: @escaping Job) {
        let entry = Waiting(job: job, since: SystemTime.monotonicNanoseconds)
        let index = state.withLock { state -> Int? in
            guard let index = state.idle.popLast() else {
                state.waiting.append(entry)
                return nil
            }
            return index
        }
        if let index { start(entry, on: index) }
    }

    func close() async {
        for reader in readers {
            await withCheckedContinuation { continuation in
                reader.queue.async {
                    reader.snapshots.withLock { $0 = nil }
                    continuation.resume()
                }
            }
        }
    }

    private func start(_ first: Waiting, on index: Int) {
        let reader = readers[index]
        reader.queue.async { [self] in
            var next: Waiting? = first
            while let entry = next {
                metrics.readStarted(afterNanoseconds: SystemTime.monotonicNanoseconds &- entry.since)
                reader.snapshots.withLock { snapshots in
                    entry.job(snapshots.map { .success($0) } ?? .failure(.closed(path: path)))
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
