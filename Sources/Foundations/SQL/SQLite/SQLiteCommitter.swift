import Basics

/// Commits groups of changes to a SQLite file: one transaction, one flush to the disk, and a savepoint for each change
/// that is not alone.
final class SQLiteCommitter: Committer {
    private let session: SQLiteSession

    init(_ session: sending SQLiteSession) { self.session = session }

    func close() {}

    func commit(_ jobs: [Writer.Job]) -> [@Sendable () -> Void] {
        var outcomes: [@Sendable () -> Void] = []
        var sound: [(job: Writer.Job, finish: @Sendable () -> Void)] = []
        var rest = jobs[...]
        while !rest.isEmpty {
            do {
                try session.bound("BEGIN IMMEDIATE")
            } catch {
                outcomes += rest.map { job in { job.fail(error) } }
                return outcomes
            }
            var lost: (any Error)?
            let notes = GroupNotes()
            // What is alone is undone with the transaction. A savepoint would keep a copy of each page that it changes.
            let isAlone = rest.count == 1
            while lost == nil, let job = rest.popFirst() {
                let known = notes.values
                do {
                    sound.append((job, try attempt(job, notes, savepoint: !isAlone)))
                } catch {
                    notes.values = known
                    outcomes.append { job.fail(error) }
                    // On a full disk or an I/O error the engine undoes the whole transaction, not one savepoint.
                    if isAlone || session.isIdle || !undo() { lost = error }
                }
            }
            if lost == nil, !sound.isEmpty {
                do { try session.bound("COMMIT") } catch { lost = error }
            }
            if !session.isIdle { try? session.control("ROLLBACK") }
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

    private func attempt(
        _ job: Writer.Job, _ notes: GroupNotes, savepoint: Bool
    ) throws -> @Sendable () -> Void {
        if savepoint { try session.bound("SAVEPOINT change") }
        let transaction = Transaction(session, writable: true, notes: notes)
        defer { transaction.end() }
        let finish = try job.run(transaction)
        if let failure = transaction.failure { throw failure }
        guard !session.isIdle else {
            throw SQLFailure.groupLost(reason: "the engine ended the transaction during a statement")
        }
        if savepoint { try session.bound("RELEASE change") }
        return finish
    }

    /// Takes back what the failed change did.
    private func undo() -> Bool {
        do {
            try session.control("ROLLBACK TO change; RELEASE change")
            return true
        } catch {
            return false
        }
    }
}

/// Snapshots of a SQLite file, one at a time.
final class SQLiteSnapshots: Snapshots {
    private let session: SQLiteSession

    init(_ session: sending SQLiteSession) { self.session = session }

    func read<Value>(_ body: (Transaction) throws -> Value) throws -> Value {
        try session.bound("BEGIN")
        let transaction = Transaction(session, writable: false)
        defer {
            transaction.end()
            if !session.isIdle { try? session.bound("COMMIT") }
        }
        return try body(transaction)
    }
}
