import Basics

/// Snapshots on a connection of their own, one at a time: REPEATABLE READ, READ ONLY.
final class PostgresSnapshots: Snapshots {
    private let link: PostgresLink
    private static let conflictsMax = 5

    init(_ link: sending PostgresLink) { self.link = link }

    func read<Value>(_ body: (Transaction) throws -> Value) throws -> Value {
        let deadline = Deadline.after(link.address.patienceSeconds)
        var losses = 0
        var conflicts = 0
        while true {
            do {
                return try attempt(body)
            } catch let breakage as Broken {
                switch breakage.breakage {
                case .lost(let failure):
                    link.drop()
                    guard link.pause(losses, until: deadline) else { throw failure }
                    losses += 1
                case .retry(let failure):
                    conflicts += 1
                    link.countRetry()
                    guard conflicts < Self.conflictsMax else { throw failure }
                case .transaction(let failure): throw failure
                }
            }
        }
    }

    private struct Broken: Error { let breakage: PostgresSession.Breakage }

    private func attempt<Value>(_ body: (Transaction) throws -> Value) throws -> Value {
        let session: PostgresSession
        do {
            session = try link.session()
        } catch let failure as SQLFailure where failure.code == .unavailable {
            throw Broken(breakage: .lost(failure))
        }
        session.enqueue("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        let transaction = Transaction(session, writable: false)
        let outcome = Result { try body(transaction) }
        transaction.end()
        if let breakage = session.takeBreakage() {
            session.abandon()
            throw Broken(breakage: breakage)
        }
        session.endRead()
        // The answer was whole before the connection went.
        if session.takeBreakage() != nil { link.drop() }
        return try outcome.get()
    }
}
