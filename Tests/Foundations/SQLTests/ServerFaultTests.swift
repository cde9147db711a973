import Basics
import Engines
import Foundation
import SQL
import Synchronization
import TestSupport
import Testing

/// A PostgreSQL server that dies, stands still or goes away under load: nothing acknowledged is lost, nothing is done
/// twice, and no restart of ours is needed.
@Suite(.serialized) struct ServerFaultTests {
    /// What the callers were told, by the identifier each gave its row. No rule of the schema keeps rows unique.
    private struct Told {
        var done: Set<Int64> = []
        var refused: Set<Int64> = []
        var unknown: Set<Int64> = []
    }

    private final class Load: Sendable {
        let told = Mutex(Told())
        let stopped = Atomic<Bool>(false)
        private let next = Atomic<Int64>(0)

        func run(writers: Int, on databases: [Database]) async {
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<writers {
                    let database = databases[writer % databases.count]
                    group.addTask { while !self.stopped.load(ordering: .acquiring) { await self.append(database) } }
                }
            }
        }

        private func append(_ database: Database) async {
            let id = next.wrappingAdd(1, ordering: .relaxed).newValue
            do {
                try await database.write { transaction in
                    let head = try transaction.first("SELECT sequence FROM head WHERE id = 1")?.integer("sequence") ?? 0
                    try transaction.execute(
                        "INSERT INTO entries (sequence, caller, previous) VALUES (?, ?, ?)",
                        [.integer(head + 1), .integer(id), .integer(head)])
                    try transaction.execute(
                        """
                        INSERT INTO head (id, sequence) VALUES (1, ?)
                        ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence
                        """, [.integer(head + 1)])
                    try transaction.execute("UPDATE counters SET n = n + 1")
                }
                _ = told.withLock { $0.done.insert(id) }
            } catch SQLFailure.outcomeUnknown {
                _ = told.withLock { $0.unknown.insert(id) }
            } catch {
                _ = told.withLock { $0.refused.insert(id) }
            }
        }

        func verify(_ database: Database) async throws {
            let rows = try await database.read {
                try $0.query("SELECT sequence, caller, previous FROM entries ORDER BY sequence")
            }
            let callers = try rows.map { try $0.integer("caller") }
            let told = told.withLock { $0 }
            #expect(try rows.map { try $0.integer("sequence") } == Array(1...Int64(max(1, rows.count))))
            #expect(Set(callers).count == callers.count, "nothing is done twice")
            #expect(told.done.subtracting(callers).isEmpty, "nothing acknowledged is lost")
            #expect(told.refused.intersection(callers).isEmpty, "nothing refused is there")
            let count = try await database.read { try $0.first("SELECT n FROM counters")?.int("n") }
            #expect(count == rows.count)
        }
    }

    private func tables(_ database: Database) async throws {
        try await database.write {
            try $0.script(
                """
                CREATE TABLE entries (sequence INTEGER NOT NULL, caller INTEGER NOT NULL, previous INTEGER NOT NULL);
                CREATE TABLE head (id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL);
                CREATE TABLE counters (n INTEGER NOT NULL);
                INSERT INTO counters (n) VALUES (0);
                """)
        }
    }

    /// Runs 16 writers of two programs, and `fault` against their server until each time some more were acknowledged.
    private func storm(
        rounds: Int, settings: [String] = ["sslmode=disable", "pool=2"],
        _ fault: @escaping @Sendable (PostgresServer, SeededRandom) throws -> Void
    ) async throws {
        let server = try PostgresServer()
        defer { server.remove() }
        let url = try server.url(schema: "storm", settings: settings)
        let databases = [try await Database.open(url), try await Database.open(url)]
        try await tables(databases[0])
        let load = Load()
        let random = SeededRandom(seed: 3)
        async let running: Void = load.run(writers: 16, on: databases)
        let failure = await Task.detached { () -> (any Error)? in
            do {
                for _ in 0..<rounds {
                    let before = load.told.withLock { $0.done.count }
                    let more = 20 + Int(random.next() % 60)
                    try waitUntil("writes go on") { load.told.withLock { $0.done.count } >= before + more }
                    try fault(server, random)
                }
                let before = load.told.withLock { $0.done.count }
                try waitUntil("writes go on after the last fault") {
                    load.told.withLock { $0.done.count } > before + 50
                }
                return nil
            } catch {
                return error
            }
        }.value
        load.stopped.store(true, ordering: .releasing)
        await running
        if let failure { throw failure }
        try await load.verify(databases[1])
        for database in databases { await database.close() }
    }

    @Test func aServerKilledUnderLoadLosesNothing() async throws {
        try await storm(rounds: 3) { server, _ in
            try server.kill()
            try server.start()
        }
    }

    @Test func brokenOffConnectionsLoseNothing() async throws {
        try await storm(rounds: 12) { server, _ in
            try server.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'modelworks'")
        }
    }

    @Test func aServerThatStandsStillIsNotAnswered() async throws {
        let server = try PostgresServer()
        defer { server.remove() }
        let url = try server.url(
            schema: "a", settings: ["sslmode=disable", "patience=2", "statement_timeout=1", "connect_timeout=1"])
        let database = try await Database.open(url)
        try await tables(database)
        let load = Load()
        _ = try await database.read { try $0.first("SELECT n FROM counters") }
        server.freeze()
        let start = SystemTime.monotonicNanoseconds
        async let read = Result.of { try await database.read { try $0.first("SELECT n FROM counters")?.int("n") } }
        async let write = Result.of { try await database.write { try $0.execute("UPDATE counters SET n = n + 1") } }
        let outcomes = await (read.failure, write.failure)
        #expect(SystemTime.monotonicNanoseconds - start < 10_000_000_000)
        server.thaw()
        for failure in [outcomes.0, outcomes.1] {
            #expect((failure as? SQLFailure)?.code == .unavailable)
            #expect(failure.map { "\($0)" }?.contains("schema=a") == true)
        }
        // Without a restart of ours.
        let count = try await database.read { try $0.first("SELECT n FROM counters")?.int("n") }
        #expect(count == 0)
        try await load.verify(database)
        try await database.write { try $0.execute("UPDATE counters SET n = n + 1") }
        await database.close()
    }

    @Test func aServerThatIsGoneForAWhileIsWaitedFor() async throws {
        let server = try PostgresServer()
        defer { server.remove() }
        let database = try await Database.open(try server.url(schema: "a"))
        try await tables(database)
        try server.stop()
        async let write = database.write { try $0.execute("UPDATE counters SET n = n + 1") }
        async let read = database.read { try $0.first("SELECT count(*) AS n FROM counters")?.int("n") }
        try await Task.detached { try server.start() }.value
        #expect(try await write == 1)
        #expect(try await read == 1)
        await database.close()
    }
}

extension Result where Failure == any Error {
    fileprivate static func of(_ body: @Sendable () async throws -> Success) async -> Result {
        do { return .success(try await body()) } catch { return .failure(error) }
    }

    fileprivate var failure: (any Error)? {
        if case .failure(let error) = self { return error }
        return nil
    }
}
