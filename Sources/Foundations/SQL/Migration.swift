import Basics

/// One step of a room's schema. Once released, its text never changes; a change is the next version.
public struct Migration: Sendable, Hashable {
    /// The room that owns the tables, such as `registry`.
    public let room: String
    /// 1, 2, 3, ... within the room.
    public let version: Int
    /// Statements separated by semicolons.
    public let sql: String

    public init(room: String, version: Int, sql: String) {
        self.room = room
        self.version = version
        self.sql = sql
    }

    var checksum: Digest { Digest(of: sql) }
}

extension Database {
    /// Brings the schema of the rooms named in `migrations` up to date, all of it or nothing.
    ///
    /// What was applied is kept with its SHA-256 in `schema_migrations`.
    /// - Throws: `SQLFailure.migrationChanged` when an applied migration has another text now,
    ///   `.databaseNewer` when the database has a version this program does not know, `.migrationFailed` when the SQL
    ///   fails.
    /// - Returns: the migrations that were applied now.
    @discardableResult
    public func migrate(_ migrations: [Migration]) async throws -> [Migration] {
        let now = time.now
        return try await write { transaction in
            try transaction.execute(
                """
                CREATE TABLE IF NOT EXISTS schema_migrations (
                    room TEXT NOT NULL, version INTEGER NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL,
                    PRIMARY KEY (room, version))
                """)
            var applied: [String: [Int: String]] = [:]
            for row in try transaction.query("SELECT room, version, checksum FROM schema_migrations") {
                applied[try row.string("room"), default: [:]][try row.int("version")] = try row.string("checksum")
            }
            try Migrator.check(migrations, applied: applied)
            var done: [Migration] = []
            for migration in migrations where applied[migration.room]?[migration.version] == nil {
                do {
                    try transaction.script(migration.sql)
                } catch SQLFailure.statement(_, let reason) {
                    throw SQLFailure.migrationFailed(room: migration.room, version: migration.version, reason: reason)
                }
                try transaction.execute(
                    "INSERT INTO schema_migrations (room, version, checksum, applied_at) VALUES (?, ?, ?, ?)",
                    [.text(migration.room), .init(migration.version), .init(migration.checksum), .init(now)])
                done.append(migration)
            }
            return done
        }
    }
}

extension Database {
    /// Refuses a database that ``migrate(_:)`` would refuse, without changing it.
    /// - Throws: `SQLFailure.migrationChanged` or `.databaseNewer`.
    public func refuseNewer(than migrations: [Migration]) async throws {
        let applied: [String: [Int: String]]
        do {
            applied = try await read { transaction in
                var applied: [String: [Int: String]] = [:]
                for row in try transaction.query("SELECT room, version, checksum FROM schema_migrations") {
                    applied[try row.string("room"), default: [:]][try row.int("version")] = try row.string("checksum")
                }
                return applied
            }
        } catch SQLFailure.statement {
            // No table of migrations: nothing was ever applied.
            return
        }
        try Migrator.check(migrations, applied: applied)
    }
}

private enum Migrator {
    /// Refuses lists out of order and databases that are not an earlier state of these lists.
    static func check(_ migrations: [Migration], applied: [String: [Int: String]]) throws {
        var latest: [String: Int] = [:]
        for migration in migrations {
            let expected = (latest[migration.room] ?? 0) + 1
            guard migration.version == expected else {
                throw SQLFailure.migrationOrder(
                    room: migration.room, version: migration.version, reason: "stands where version \(expected) belongs"
                )
            }
            latest[migration.room] = migration.version
            if let checksum = applied[migration.room]?[migration.version], checksum != migration.checksum.hex {
                throw SQLFailure.migrationChanged(room: migration.room, version: migration.version)
            }
        }
        for (room, known) in latest {
            if let found = applied[room]?.keys.max(), found > known {
                throw SQLFailure.databaseNewer(room: room, found: found, known: known)
            }
        }
    }
}
