import Basics
import Foundation
import Synchronization

/// The one thread that changes the database. Changes that wait while another group is committed form the next group.
final class Writer: Sendable {
    /// A change on its way: `run` makes it and returns what tells the caller it is durable. It may be run again.
    struct Job: Sendable {
        let run: @Sendable (Transaction) throws -> @Sendable () -> Void
        let fail: @Sendable (any Error) -> Void
        /// When it was asked for, in monotonic nanoseconds.
        let asked = SystemTime.monotonicNanoseconds
    }

    private struct Waiting {
        var jobs: [Job] = []
        var scheduled = false
    }

    private let queue = DispatchQueue(label: "modelworks.sql.writer", qos: .userInitiated)
    private let committer: Mutex<(any Committer)?>
    private let waiting = Mutex(Waiting())
    private let path: String
    private let metrics: SQLMetrics
    // Bounds how long the first of a group waits for the last.
    private static let groupLimit = 1024

    init(path: String, committer: sending any Committer, metrics: SQLMetrics) {
        self.path = path
        self.metrics = metrics
        self.committer = Mutex(committer)
    }

    func submit(_ job: Job) {
        let start = waiting.withLock { state in
            state.jobs.append(job)
            defer { state.scheduled = true }
            return !state.scheduled
        }
        if start { queue.async { self.drain() } }
    }

    /// Closes the connection after the changes submitted so far.
    func close() async {
        await withCheckedContinuation { continuation in
            queue.async {
                self.committer.withLock {
                    $0?.close()
                    $0 = nil
                }
                continuation.resume()
            }
        }
    }

    private func drain() {
        while true {
            let group = waiting.withLock { state -> [Job] in
                let group = Array(state.jobs.prefix(Writer.groupLimit))
                state.jobs.removeFirst(group.count)
                if group.isEmpty { state.scheduled = false }
                return group
            }
            guard !group.isEmpty else { return }
            // Callers are told only after the lock is given back: they may be resumed on this very thread.
            let outcomes = committer.withLock { committer -> [@Sendable () -> Void] in
                guard let committer else {
                    let failure = SQLFailure.closed(path: path)
                    return group.map { job in { job.fail(failure) } }
                }
                let start = SystemTime.monotonicNanoseconds
                defer { metrics.committed(group.count, nanoseconds: SystemTime.monotonicNanoseconds &- start) }
                return committer.commit(group)
            }
            for outcome in outcomes { outcome() }
        }
    }
}
