import Basics
import SQL

/// The objects that nothing names, each with the moment since when that is known.
///
/// An object is removed in three steps, each durable before the next: it is seen to be named by nothing (`seen`); when that
/// has been so for the whole time of grace, it is doomed; then its bytes go, and its row. Whoever stores or reads a seen
/// object takes it off the list. A doomed one is as good as gone: who stores or reads it waits until it is. Where the
/// collector was killed before, it is pardoned by who waits, or by the next collection if something names it by then.
struct Condemned: Sendable {
    let database: Database

    static let table = "condemned_objects"

    static let migrations = [
        Migration(
            room: "upkeep", version: 1,
            sql: """
                CREATE TABLE condemned_objects (
                  digest TEXT PRIMARY KEY, since INTEGER NOT NULL, is_doomed INTEGER NOT NULL);
                CREATE INDEX condemned_objects_doomed ON condemned_objects (is_doomed, since);
                """)
    ]

    /// Takes an object off the list.
    /// - Returns: false where it is doomed.
    func spare(_ digest: Digest) async throws -> Bool {
        let name = SQLValue.text(digest.hex)
        let isListed = try await database.read { transaction in
            try transaction.first("SELECT since FROM condemned_objects WHERE digest = ?", [name]) != nil
        }
        guard isListed else { return true }
        return try await database.write { transaction in
            try transaction.execute("DELETE FROM condemned_objects WHERE digest = ? AND is_doomed = 0", [name])
            return try transaction.first("SELECT since FROM condemned_objects WHERE digest = ?", [name]) == nil
        }
    }

    /// Makes the list what was found now. What was on it before stays since when it was. What a collector that was killed
    /// left doomed stays so only where still nothing names it.
    func update(_ unnamed: Set<Digest>, at now: Timestamp, under lease: Lease) async throws {
        let listed = try await database.read { transaction in
            try transaction.query("SELECT digest FROM condemned_objects", []).compactMap {
                Digest(try $0.string("digest"))
            }
        }
        let fresh = unnamed.subtracting(listed)
        for block in Self.blocks(listed.filter { !unnamed.contains($0) }) {
            try await database.write { transaction in
                // Another collector may be removing what is doomed.
                try lease.check(in: transaction)
                for digest in block {
                    try transaction.execute("DELETE FROM condemned_objects WHERE digest = ?", [.text(digest.hex)])
                }
            }
        }
        for block in Self.blocks(fresh.sorted()) {
            try await database.write { transaction in
                for digest in block {
                    try transaction.execute(
                        """
                        INSERT INTO condemned_objects (digest, since, is_doomed) VALUES (?, ?, 0)
                        ON CONFLICT (digest) DO NOTHING
                        """, [.text(digest.hex), .init(now)])
                }
            }
        }
    }

    /// Dooms what is on the list since before a moment, at most a hundred.
    /// - Returns: everything that is doomed, also what a collector left that was killed.
    func doom(seenBefore moment: Timestamp, under lease: Lease) async throws -> [Digest] {
        try await database.write { transaction in
            try lease.check(in: transaction)
            try transaction.execute(
                """
                UPDATE condemned_objects SET is_doomed = 1 WHERE digest IN (
                  SELECT digest FROM condemned_objects WHERE is_doomed = 0 AND since <= ? ORDER BY since, digest LIMIT 100)
                """, [.init(moment)])
            return try transaction.query(
                "SELECT digest FROM condemned_objects WHERE is_doomed = 1 ORDER BY digest", []
            ).compactMap { Digest(try $0.string("digest")) }
        }
    }

    /// Takes doomed objects off the list: they are gone, or are to stay.
    func forget(_ digests: [Digest], under lease: Lease) async throws {
        try await database.write { transaction in
            try lease.check(in: transaction)
            for digest in digests {
                try transaction.execute(
                    "DELETE FROM condemned_objects WHERE digest = ? AND is_doomed = 1", [.text(digest.hex)])
            }
        }
    }

    private static func blocks(_ digests: [Digest]) -> [[Digest]] {
        stride(from: 0, to: digests.count, by: 500).map { Array(digests[$0..<min($0 + 500, digests.count)]) }
    }
}
