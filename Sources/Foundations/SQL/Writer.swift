import Basics
import Foundation
import Synchronization

/// The one thread that changes the database. Changes that wait while another group is committed form the next group:
/// one transaction, one flush to the disk, a savepoint for each.
final class Writer: Sendable {
    /// A change on its way: `run` makes it and returns what tells the caller it is durable.
    struct Job: Sendable {
        let run: @Sendable (Transaction) throws -> @Sendable () -> Void
        let fail: @Sendable (any Error) -> Void
    }

    private struct Waiting {
        var jobs: [Job] = []
        var scheduled = false
    }

    private let queue = DispatchQueue(label: "modelworks.sql.writer", qos: .userInitiated)
    private let connection: Mutex<Connection?>
    private let waiting = Mutex(Waiting())
    private let path: String
    // Bounds how long the first of a group waits for the last.
    private static let groupLimit = 1024

    init(path: String, connection: sending Connection) {
        self.path = path
        self.connection = Mutex(connection)
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
                self.connection.withLock { $0 = nil }
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
            let outcomes = connection.withLock { connection -> [@Sendable () -> Void] in
                guard let connection else {
                    let failure = SQLFailure.closed(path: path)
                    return group.map { job in { job.fail(failure) } }
                }
                return Writer.commit(group, on: connection)
            }
            for outcome in outcomes { outcome() }
        }
    }

    private static func commit(_ jobs: [Job], on connection: Connection) -> [@Sendable () -> Void] {
        var outcomes: [@Sendable () -> Void] = []
        var sound: [(job: Job, finish: @Sendable () -> Void)] = []
        var rest = jobs[...]
        while !rest.isEmpty {
            do {
                try connection.script("BEGIN IMMEDIATE")
            } catch {
                outcomes += rest.map { job in { job.fail(error) } }
                return outcomes
            }
            var lost: (any Error)?
            while lost == nil, let job = rest.popFirst() {
                do {
                    sound.append((job, try attempt(job, on: connection)))
                } catch {
                    outcomes.append { job.fail(error) }
                    // On a full disk or an I/O error the engine undoes the whole transaction, not one savepoint.
                    if connection.isIdle || !undo(on: connection) { lost = error }
                }
            }
            if lost == nil, !sound.isEmpty {
                do { try connection.script("COMMIT") } catch { lost = error }
            }
            if !connection.isIdle { try? connection.script("ROLLBACK") }
            if let lost {
                let failure = (lost as? SQLFailure) ?? .groupLost(reason: "\(lost)")
                outcomes += sound.map { entry in { entry.job.fail(failure) } }
            } else {
                outcomes += sound.map(\.finish)
            }
            sound = []
        }
        return outcomes
    }

    private static func attempt(_ job: Job, on connection: Connection) throws -> @Sendable () -> Void {
        try connection.run("SAVEPOINT change", [], screened: false) { _ in }
        let transaction = Transaction(connection, writable: true)
        defer { transaction.end() }
        let finish = try job.run(transaction)
        // A body may have swallowed the error that ended the transaction.
        guard !connection.isIdle else {
            throw SQLFailure.groupLost(reason: "the engine ended the transaction during a statement")
        }
        try connection.run("RELEASE change", [], screened: false) { _ in }
        return finish
    }

    /// Takes back what the failed change did.
    private static func undo(on connection: Connection) -> Bool {
        do {
            try connection.run("ROLLBACK TO change", [], screened: false) { _ in }
            try connection.run("RELEASE change", [], screened: false) { _ in }
            return true
        } catch {
            return false
        }
    }
}
