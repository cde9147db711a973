import Basics

/// Commits groups of changes on a PostgreSQL server: one transaction, a savepoint for each change.
///
/// A group first takes a lock that all writers of the schema share, in any process, until it has ended. So changes are
/// made one after the other exactly as in a SQLite file, and each sees all before it.
///
/// With its changes a group commits its number into `sql_commits`. When the connection is lost during COMMIT, the next
/// one takes the lock, which waits for the end of the lost transaction, and reads the number: it tells for certain
/// whether the group is there. (The server's own `pg_xact_status` can not be asked: after a crash it may give the number
/// of a transaction that left no trace to another one.)
final class PostgresCommitter: Committer {
    private let link: PostgresLink
    private let writer: String
    private var number: Int64 = 0
    private static let conflictsMax = 8

    init(_ link: sending PostgresLink, random: any RandomSource) {
        self.link = link
        writer = random.identifier()
    }

    /// Makes the schema and the table of group numbers where they are missing.
    func prepare() throws {
        let session = try link.session()
        let schema = link.address.schema
        do {
            session.enqueue("BEGIN")
            session.enqueue(Self.lock(link.address))
            let found = try session.control("SELECT to_regnamespace('\(schema)') AS schema")
            var isMissing = false
            try found.forEachRow { isMissing = $0.values == [.null] }
            if isMissing { session.enqueue("CREATE SCHEMA \"\(schema)\"") }
            session.enqueue(
                """
                CREATE TABLE IF NOT EXISTS sql_commits (
                    writer TEXT PRIMARY KEY, number BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL)
                """)
            session.enqueue("DELETE FROM sql_commits WHERE at < now() - interval '30 days'")
            _ = try session.control("COMMIT")
        } catch let failure as SQLFailure {
            link.drop()
            throw failure
        }
    }

    func close() {
        if let session = try? link.session(), let parameters = try? PostgresParameters([.text(writer)], sql: "") {
            _ = try? session.control("DELETE FROM sql_commits WHERE writer = $1", parameters)
        }
        link.drop()
    }

    private enum Outcome {
        case done([@Sendable () -> Void])
        case broken(PostgresSession.Breakage)
        /// The connection was lost between COMMIT and its answer.
        case doubtful(SQLFailure, [@Sendable () -> Void])
    }

    func commit(_ jobs: [Writer.Job]) -> [@Sendable () -> Void] {
        var jobs = jobs
        var expired: [@Sendable () -> Void] = []
        var doubt: [@Sendable () -> Void]?
        var losses = 0
        var conflicts = 0
        while !jobs.isEmpty {
            let failure: SQLFailure
            do {
                let session = try link.session()
                if let outcomes = doubt {
                    if try isCommitted(on: session) { return expired + outcomes }
                    doubt = nil
                }
                switch attempt(jobs, on: session) {
                case .done(let outcomes): return expired + outcomes
                case .doubtful(let reason, let outcomes):
                    doubt = outcomes
                    failure = reason
                case .broken(.lost(let reason)): failure = reason
                case .broken(.retry(let reason)):
                    conflicts += 1
                    link.countRetry()
                    guard conflicts < Self.conflictsMax else { return expired + fail(jobs, reason) }
                    continue
                case .broken(.transaction(let reason)): return expired + fail(jobs, reason)
                }
            } catch let reason as SQLFailure where reason.code == .unavailable {
                failure = reason
            } catch {
                return expired + fail(jobs, doubt == nil ? error : unknown(error))
            }
            link.drop()
            // Who asked too long ago is told now; while one outcome is in doubt, that of all is.
            let patience = UInt64(link.address.patienceSeconds * 1e9)
            let now = SystemTime.monotonicNanoseconds
            let isOver: (Writer.Job) -> Bool = { now >= $0.asked &+ patience }
            let reason: any Error = doubt == nil ? failure : unknown(failure)
            if doubt == nil || jobs.allSatisfy(isOver) {
                expired += fail(jobs.filter(isOver), reason)
                jobs.removeAll(where: isOver)
            }
            let deadline = jobs.map { $0.asked &+ patience }.max() ?? now
            _ = link.pause(losses, until: deadline)
            losses += 1
        }
        return expired
    }

    private func unknown(_ error: any Error) -> SQLFailure {
        let reason = (error as? SQLFailure)?.message ?? "\(error)"
        return .outcomeUnknown(path: link.address.description, reason: reason)
    }

    private func fail(_ jobs: [Writer.Job], _ error: any Error) -> [@Sendable () -> Void] {
        jobs.map { job in { job.fail(error) } }
    }

    private static func lock(_ address: PostgresAddress) -> String {
        "SELECT pg_advisory_xact_lock(\(address.lockKey))"
    }

    private func attempt(_ jobs: [Writer.Job], on session: PostgresSession) -> Outcome {
        session.enqueue("BEGIN ISOLATION LEVEL READ COMMITTED")
        session.enqueue(Self.lock(link.address))
        var group = PostgresGroup(jobs)
        while true {
            while let job = group.next {
                session.beginChange(group.begin())
                do {
                    group.succeed(try change(job, in: group, on: session))
                } catch {
                    if let breakage = session.takeBreakage() {
                        session.abandon()
                        return .broken(breakage)
                    }
                    group.refuse(session.takeRefusal(), or: error)
                    session.undoChange()
                }
            }
            guard group.hasSuccess else {
                session.abandon()
                return .done(group.outcomes)
            }
            if let outcome = end(&group, on: session) { return outcome }
        }
    }

    private func change(
        _ job: Writer.Job, in group: PostgresGroup, on session: PostgresSession
    ) throws -> @Sendable () -> Void {
        let transaction = Transaction(session, writable: true, notes: group.notes)
        defer { transaction.end() }
        let finish = try job.run(transaction)
        if let failure = transaction.failure { throw failure }
        try session.endChange(atOnce: group.isCareful)
        return finish
    }

    /// - Returns: nil where a change of the group turned out to fail, so that those after it have to be made again.
    private func end(_ group: inout PostgresGroup, on session: PostgresSession) -> Outcome? {
        number &+= 1
        do {
            session.enqueue(
                """
                INSERT INTO sql_commits (writer, number, at) VALUES ($1, $2, now())
                ON CONFLICT (writer) DO UPDATE SET number = excluded.number, at = excluded.at
                """, try PostgresParameters([.text(writer), .integer(number)], sql: ""))
            let answer = try session.control("COMMIT")
            // A transaction that had failed is rolled back by COMMIT, which then says so.
            guard answer.tag == "COMMIT" else {
                return .broken(.transaction(.groupLost(reason: "the server rolled the transaction back")))
            }
            return .done(group.outcomes)
        } catch {
            let failure = (error as? SQLFailure) ?? .groupLost(reason: "\(error)")
            let breakage = session.takeBreakage()
            if breakage == nil, let refusal = session.takeRefusal() {
                group.refuse(refusal, or: failure)
                session.undoChange()
                return nil
            }
            if case .lost? = breakage { return .doubtful(failure, group.outcomes) }
            session.abandon()
            return .broken(breakage ?? .transaction(failure))
        }
    }

    /// Whether the group of the last number was committed by a connection that is gone.
    private func isCommitted(on session: PostgresSession) throws -> Bool {
        session.enqueue("BEGIN ISOLATION LEVEL READ COMMITTED")
        session.enqueue(Self.lock(link.address))
        defer {
            _ = session.takeBreakage()
            session.abandon()
        }
        let answer = try session.control(
            "SELECT 1 FROM sql_commits WHERE writer = $1 AND number = $2",
            try PostgresParameters([.text(writer), .integer(number)], sql: ""))
        return answer.rowCount == 1
    }
}
