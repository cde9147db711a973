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
    @Test func aServerKilledUnderLoadLosesNothing() async throws {
        try await Load.storm(rounds: 3) { server, _ in
            try server.kill()
            try server.start()
        }
    }

    @Test func brokenOffConnectionsLoseNothing() async throws {
        try await Load.storm(rounds: 12) { server, _ in
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
        try await Load.makeTables(database)
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
        try await Load.makeTables(database)
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
