import Basics
import Foundation
import ObjectStorage
import SQL

/// Brings the records of an archive back into logs of this machine, in place of the spools there.
///
/// The logs are made beside the spools and take their place when they are whole; breaking off changes nothing, or nothing
/// that the next call does not mend. A record keeps its position. In the archive the logs count as spools whose records
/// have all arrived, so that a root that goes back to the shared stores sends only what came after.
struct RecordReturn {
    let archive: RecordArchive
    /// Holds the spools, and the logs afterwards.
    let root: String
    private var staging: String { "\(root).new" }
    private var former: String { "\(root).old" }

    /// Mends what breaking off a former call between two steps left. Blocks while the disk works.
    static func mend(_ root: String) throws {
        let manager = FileManager.default
        if !manager.fileExists(atPath: root), manager.fileExists(atPath: "\(root).new/name") {
            try manager.moveItem(atPath: "\(root).new", toPath: root)
        }
        for rest in ["\(root).new", "\(root).old"] where manager.fileExists(atPath: rest) {
            try manager.removeItem(atPath: rest)
        }
    }

    func run(
        name: String, thread: BlockingThread, progress: @escaping @Sendable (String, Int64) -> Void
    ) async throws -> [RecordChannels.Returned] {
        let (root, staging, former) = (root, staging, former)
        try await thread.run { try Self.mend(root) }
        var returned: [RecordChannels.Returned] = []
        for channel in try await archive.channels() {
            let files = try await archive.files(of: channel, from: .start)
            let outcome = try await thread.run { try Self.write(files, to: "\(staging)/\(channel)", channel, progress) }
            guard outcome.end == (try await archive.end(of: channel)) else {
                throw StorageFailure.damaged(
                    path: "\(staging)/\(channel)", offset: outcome.end, reason: "it is not as long as the archive")
            }
            try await archive.note(channel, source: name, at: outcome.end)
            returned.append(outcome.returned)
        }
        try await thread.run {
            let manager = FileManager.default
            try manager.createDirectory(atPath: staging, withIntermediateDirectories: true)
            // Last: a folder that has a name is whole.
            try AtomicFile.write("\(staging)/name", Array(name.utf8))
            if manager.fileExists(atPath: root) { try manager.moveItem(atPath: root, toPath: former) }
            try Self.mend(root)
        }
        return returned
    }

    /// Writes a log of these files' records, and reads it back. Blocks while the disk works.
    private static func write(
        _ files: [RecordFile], to folder: String, _ channel: String, _ progress: (String, Int64) -> Void
    ) throws -> (returned: RecordChannels.Returned, end: Int64) {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let log = try RecordLog(folder: folder)
        var sent = Digest(of: channel)
        var count: Int64 = 0
        func chain(_ digest: Digest, _ record: LoggedRecord) -> Digest {
            var bytes = Array("\(digest.hex) \(record.position.offset) ".utf8)
            bytes.append(contentsOf: record.bytes)
            return Digest(of: bytes)
        }
        for file in files {
            try file.forEach(from: .start) { record in
                let position: RecordPosition = try log.append(record.bytes)
                guard position == record.position else {
                    throw StorageFailure.positionOutside(record.position.offset, path: folder)
                }
                sent = chain(sent, record)
                count += 1
            }
            progress(channel, count)
        }
        var kept = Digest(of: channel)
        try log.forEach(from: .start) { kept = chain(kept, $0) }
        guard kept == sent else {
            throw StorageFailure.damaged(path: folder, offset: 0, reason: "it does not read as it was written")
        }
        return (RecordChannels.Returned(channel: channel, records: count, digest: sent), log.end.offset)
    }
}

extension RecordArchive {
    /// The channels that have records.
    func channels() async throws -> [String] {
        try await database.read { transaction in
            try transaction.query("SELECT DISTINCT channel FROM record_segments ORDER BY channel").map {
                try $0.string("channel")
            }
        }
    }

    /// The position behind a channel's last record.
    func end(of channel: String) async throws -> Int64 {
        try await database.read { transaction in
            let last = try transaction.first(
                "SELECT start, bytes FROM record_segments WHERE channel = ? ORDER BY start DESC LIMIT 1",
                [.text(channel)])
            return try last.map { try $0.integer("start") + $0.integer("bytes") } ?? 0
        }
    }

    /// Notes how far a source has come.
    func note(_ channel: String, source: String, at position: Int64) async throws {
        try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO record_sources (channel, source, position) VALUES (?, ?, ?)
                ON CONFLICT (channel, source) DO UPDATE SET position = excluded.position
                """, [.text(channel), .text(source), .integer(position)])
        }
    }
}
