import Basics
import Engines
import SQL
import TestSupport
import Testing

@Suite struct MigrationTests {
    private let one = Migration(room: "a", version: 1, sql: "CREATE TABLE t (x INTEGER); CREATE INDEX i ON t (x);")
    private let two = Migration(room: "a", version: 2, sql: "ALTER TABLE t ADD COLUMN y TEXT")
    private let other = Migration(room: "b", version: 1, sql: "CREATE TABLE u (x REAL)")

    private func open(_ engine: SQLEngine) async throws -> (TemporaryFolder, Database) {
        let folder = try TemporaryFolder()
        return (folder, try await engine.database(in: folder, time: ManualTime(Timestamp(seconds: 7))))
    }

    @Test(arguments: SQLEngine.allCases) func eachIsAppliedOnceInOrder(_ engine: SQLEngine) async throws {
        let (folder, database) = try await open(engine)
        #expect(try await database.migrate([one, other]) == [one, other])
        #expect(try await database.migrate([one, two, other]) == [two])
        #expect(try await database.migrate([one, two]).isEmpty)
        let rows = try await database.read {
            try $0.query("SELECT room, version, checksum, applied_at FROM schema_migrations ORDER BY room, version")
        }
        #expect(try rows.map { try $0.string("room") } == ["a", "a", "b"])
        #expect(try rows[0].digest("checksum") == Digest(of: one.sql))
        #expect(try rows[0].timestamp("applied_at") == Timestamp(seconds: 7))
        withExtendedLifetime(folder) {}
    }

    @Test(arguments: SQLEngine.allCases) func changedNewerAndDisorderedAreRefused(_ engine: SQLEngine) async throws {
        let (folder, database) = try await open(engine)
        try await database.migrate([one, two])
        await #expect(throws: SQLFailure.migrationChanged(room: "a", version: 1)) {
            try await database.migrate([Migration(room: "a", version: 1, sql: "CREATE TABLE t (z TEXT)"), two])
        }
        await #expect(throws: SQLFailure.databaseNewer(room: "a", found: 2, known: 1)) {
            try await database.migrate([one])
        }
        await #expect(throws: SQLFailure.self) { try await database.migrate([two, one]) }
        withExtendedLifetime(folder) {}
    }

    @Test(arguments: SQLEngine.allCases) func aFailingMigrationLeavesNothing(_ engine: SQLEngine) async throws {
        let (folder, database) = try await open(engine)
        await #expect {
            try await database.migrate([one, Migration(room: "a", version: 2, sql: "CREATE TABEL v")])
        } throws: {
            guard case .migrationFailed(room: "a", version: 2, _)? = $0 as? SQLFailure else { return false }
            return true
        }
        await #expect(throws: SQLFailure.self) { try await database.read { try $0.query("SELECT x FROM t") } }
        #expect(try await database.migrate([one, two]).count == 2)
        withExtendedLifetime(folder) {}
    }

    @Test(arguments: SQLEngine.allCases) func twoProgramsThatStartTogetherMigrateOnce(_ engine: SQLEngine) async throws
    {
        let (folder, first) = try await open(engine)
        let second = try await engine.database(in: folder)
        async let one = first.migrate([one, two, other])
        async let another = second.migrate([self.one, two, other])
        #expect(try await [one.count, another.count].sorted() == [0, 3])
        withExtendedLifetime(folder) {}
    }
}
