import Basics
import ObjectStorage
import SQL

/// The records of every channel that several processes share: files in the object store, listed in SQL.
///
/// What feeds a channel is a source with a position of its own: the spool of a process, or a partition of a topic. A
/// batch and the positions that its sources have reached are one transaction that holds only where the positions still
/// are what the batch began with: a batch that is archived twice counts once, by whomever.
struct RecordArchive: Sendable {
    let database: Database
    let objects: any ObjectStore

    static let migration = Migration(
        room: "records", version: 1,
        sql: """
            CREATE TABLE record_segments (
              channel TEXT NOT NULL, start INTEGER NOT NULL, bytes INTEGER NOT NULL, records INTEGER NOT NULL,
              digest TEXT NOT NULL, PRIMARY KEY (channel, start));
            CREATE TABLE record_sources (
              channel TEXT NOT NULL, source TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (channel, source));
            """)

    /// Records on their way into the archive.
    struct Batch: Sendable {
        /// Frames, as in a ``RecordFile``.
        var bytes: [UInt8] = []
        var records: Int64 = 0
        /// The source that must still stand where the batch began, and where it stands after it.
        var source: String
        var from: Int64
        var to: Int64
        /// Other sources whose records came through that one, and where they stand after the batch.
        var origins: [String: Int64] = [:]
    }

    /// How far every source of a channel has come.
    func positions(of channel: String) async throws -> [String: Int64] {
        try await database.read { transaction in
            var positions: [String: Int64] = [:]
            for row in try transaction.query(
                "SELECT source, position FROM record_sources WHERE channel = ?", [.text(channel)])
            {
                positions[try row.string("source")] = try row.integer("position")
            }
            return positions
        }
    }

    /// Archives a batch, unless its source has moved since.
    /// - Returns: whether it was archived now.
    func append(_ batch: Batch, to channel: String) async throws -> Bool {
        var digest: Digest?
        if batch.records > 0 { digest = try await objects.put(batch.bytes) }
        let (file, count) = (digest, Int64(batch.bytes.count))
        return try await database.write { transaction in
            let stands = try transaction.first(
                "SELECT position FROM record_sources WHERE channel = ? AND source = ?",
                [.text(channel), .text(batch.source)])
            guard try stands?.integer("position") ?? 0 == batch.from else { return false }
            if let file {
                let last = try transaction.first(
                    "SELECT start, bytes FROM record_segments WHERE channel = ? ORDER BY start DESC LIMIT 1",
                    [.text(channel)])
                let end = try last.map { try $0.integer("start") + $0.integer("bytes") } ?? 0
                try transaction.execute(
                    "INSERT INTO record_segments (channel, start, bytes, records, digest) VALUES (?, ?, ?, ?, ?)",
                    [
                        .text(channel), .integer(end), .integer(count),
                        .integer(batch.records), .init(file),
                    ])
            }
            for (source, position) in batch.origins.merging([batch.source: batch.to], uniquingKeysWith: { $1 }) {
                try transaction.execute(
                    """
                    INSERT INTO record_sources (channel, source, position) VALUES (?, ?, ?)
                    ON CONFLICT (channel, source) DO UPDATE SET position = excluded.position
                    """, [.text(channel), .text(source), .integer(position)])
            }
            return true
        }
    }

    /// The files that hold a channel's records from a position on, on this machine.
    func files(of channel: String, from position: RecordPosition) async throws -> [RecordFile] {
        let rows = try await database.read { transaction in
            try transaction.query(
                """
                SELECT start, digest FROM record_segments WHERE channel = ? AND start + bytes > ? ORDER BY start
                """, [.text(channel), .integer(position.offset)]
            ).map { (try $0.integer("start"), try $0.digest("digest")) }
        }
        var files: [RecordFile] = []
        for (start, digest) in rows {
            files.append(
                RecordFile(path: try await objects.localPath(digest), start: RecordPosition(offset: start)))
        }
        return files
    }
}
