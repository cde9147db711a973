import Basics
import SQL
import TestSupport
import Testing

@Suite struct MigrationTests {
    private let one = Migration(room: "a", version: 1, sql: "CREATE TABLE t (x); CREATE INDEX i ON t (x);")
    private let two = Migration(room: "a", version: 2, sql: "ALTER TABLE t ADD COLUMN y")
    private let other = Migration(room: "b", version: 1, sql: "CREATE TABLE u (x)")

    private func open() async throws -> (TemporaryFolder, Database) {
        let folder = try TemporaryFolder()
        return (folder, try await Database.open(at: folder("works.db"), time: ManualTime(Timestamp(seconds: 7))))
    }

    @Test func eachIsAppliedOnceInOrder() async throws {
        let (folder, database) = try await open()
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

    @Test func changedNewerAndDisorderedAreRefused() async throws {
        let (folder, database) = try await open()
        try await database.migrate([one, two])
        await #expect(throws: SQLFailure.migrationChanged(room: "a", version: 1)) {
            try await database.migrate([Migration(room: "a", version: 1, sql: "CREATE TABLE t (z)"), two])
        }
        await #expect(throws: SQLFailure.databaseNewer(room: "a", found: 2, known: 1)) {
            try await database.migrate([one])
        }
        await #expect(throws: SQLFailure.self) { try await database.migrate([two, one]) }
        withExtendedLifetime(folder) {}
    }

    @Test func aFailingMigrationLeavesNothing() async throws {
        let (folder, database) = try await open()
        await #expect {
            try await database.migrate([one, Migration(room: "a", version: 2, sql: "CREATE TABEL v")])
        } throws: {
            guard case .migrationFailed(room: "a", version: 2, _)? = $0 as? SQLFailure else { return false }
            return true
        }
        #expect(try await database.read { try $0.query("SELECT name FROM sqlite_master").isEmpty })
        #expect(try await database.migrate([one, two]).count == 2)
        withExtendedLifetime(folder) {}
    }
}
