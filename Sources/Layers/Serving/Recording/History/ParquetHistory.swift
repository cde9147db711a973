import Basics
import Columnar
import Foundation
import ObjectStorage
import Records
import Synchronization

/// The records of an endpoint or a model as Parquet files: one for each day of each stretch of the log that was taken over.
///
/// A row has what a record tells as columns for other programs, and the record itself, so that nothing is lost and readers
/// here see what they saw in the log. The files of a stretch are written first and count once the manifest names them.
public final class ParquetHistory: RecordHistory {
    /// A step of taking records over after which a process may die; for tests.
    public enum Step: Sendable, CaseIterable { case wroteFiles, wroteManifest }

    private let folder: String
    private let kind: KeptPrediction.Kind
    private let engine: ColumnarEngine
    private let onStep: @Sendable (Step) throws -> Void
    private let manifest: Mutex<HistoryManifest>

    /// Histories of all channels of endpoints' and models' answers under a root.
    public static func histories(in root: String, engine: ColumnarEngine) -> RecordHistories {
        RecordHistories(in: root) { folder, kind in
            try KeptPrediction.Kind.allCases.first { $0.channel == kind }.map {
                try ParquetHistory(folder: folder, kind: $0, engine: engine)
            }
        }
    }

    /// Opens a history, and deletes what was begun and never counted.
    /// - Parameter onStep: called as records are taken over; for tests.
    /// - Throws: `StorageFailure.damaged` where its manifest can not be read.
    public init(
        folder: String, kind: KeptPrediction.Kind, engine: ColumnarEngine,
        onStep: @escaping @Sendable (Step) throws -> Void = { _ in }
    ) throws {
        self.folder = folder
        self.kind = kind
        self.engine = engine
        self.onStep = onStep
        let manifest = try HistoryManifest(in: folder)
        let known = Set(manifest.files.map(\.path))
        for path in (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
        where (path.hasSuffix(".parquet") || path.hasSuffix(".partial")) && !known.contains(path) {
            try? FileManager.default.removeItem(atPath: "\(folder)/\(path)")
        }
        self.manifest = Mutex(manifest)
    }

    public var end: RecordPosition { RecordPosition(offset: manifest.withLock(\.end)) }

    /// How many files there are.
    public var fileCount: Int { manifest.withLock { $0.files.count } }

    // MARK: Taking over

    public func take(
        upTo end: RecordPosition, _ records: ((LoggedRecord) throws -> Void) throws -> Void
    ) throws -> Int {
        let before = manifest.withLock { $0 }
        let connection = try engine.connect()
        let table = "taken"
        var rows = HistoryRows(kind)
        var (count, isMade) = (0, false)
        func flush() throws {
            guard rows.count > 0 else { return }
            if !isMade { try connection.execute("CREATE OR REPLACE TEMP TABLE \(table) (\(HistoryRows.columns))") }
            isMade = true
            try connection.append(try rows.table(), to: table)
            rows = HistoryRows(kind)
        }
        try records { record in
            rows.add(record)
            count += 1
            if rows.isFull { try flush() }
        }
        try flush()
        var next = before
        next.end = end.offset
        if isMade {
            defer { _ = try? connection.execute("DROP TABLE \(table)") }
            let files = try write(table, from: before.end, connection)
            next.batches.append(.init(start: before.end, end: end.offset, files: files))
        }
        try onStep(.wroteFiles)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try next.write(in: folder)
        manifest.withLock { [next] in $0 = next }
        try onStep(.wroteManifest)
        return count
    }

    private func write(
        _ table: String, from start: Int64, _ connection: ColumnarConnection
    ) throws -> [HistoryManifest.File] {
        let days = try connection.query(
            """
            SELECT strftime(recorded, '%Y-%m-%d') AS day, count(*) AS records, max(epoch_us(recorded)) AS newest
            FROM \(table) GROUP BY day ORDER BY day
            """)
        let columns = try HistoryRows.selection(from: table, connection)
        return try zip(days.strings("day"), zip(days.integers("records"), days.integers("newest"))).map { day, counts in
            let day = day ?? ""
            let digits = String(start)
            let path = "day=\(day)/\(String(repeating: "0", count: max(0, 19 - digits.count)))\(digits).parquet"
            try FileManager.default.createDirectory(
                atPath: "\(folder)/day=\(day)", withIntermediateDirectories: true)
            try connection.writeParquet(
                query: """
                    SELECT \(columns) FROM \(table)
                    WHERE strftime(recorded, '%Y-%m-%d') = \(SQLText.literal(day)) ORDER BY position
                    """, to: "\(folder)/\(path)")
            return .init(path: path, records: Int(counts.0 ?? 0), newest: counts.1 ?? 0)
        }
    }

    // MARK: Reading

    public func read(
        _ scope: RecordScope, from position: RecordPosition, upTo limit: RecordPosition,
        _ body: (LoggedRecord) throws -> Void
    ) throws -> RecordPosition {
        let manifest = manifest.withLock { $0 }
        let wanted = manifest.batches.filter { $0.end > position.offset && $0.start < limit.offset }
        guard !wanted.isEmpty else { return RecordPosition(offset: manifest.end) }
        let connection = try engine.connect()
        for batch in wanted {
            var files = batch.files
            if case .since(let moment) = scope { files = files.filter { $0.newest >= moment.microseconds } }
            guard !files.isEmpty else { continue }
            var parameters: [ColumnarValue] = [.integer(position.offset), .integer(limit.offset)]
            var condition = ""
            if case .named(let id) = scope {
                condition = " AND (id_hash = ? OR request_hash = ?)"
                let hash = ColumnarValue.integer(HistoryRows.hash(id))
                parameters += [hash, hash]
            }
            let list = files.map { SQLText.literal("\(folder)/\($0.path)") }.joined(separator: ", ")
            try connection.stream(
                """
                SELECT position, next, to_base64(record) AS record FROM read_parquet([\(list)])
                WHERE position >= ? AND position < ?\(condition) ORDER BY position
                """, parameters, batch: 4096
            ) { table in
                let (starts, ends) = (try table.integers("position"), try table.integers("next"))
                for (row, text) in try table.strings("record").enumerated() {
                    guard let start = starts[row], let end = ends[row],
                        let bytes = text.flatMap({ Data(base64Encoded: $0) })
                    else {
                        throw StorageFailure.damaged(path: folder, offset: batch.start, reason: "a row is no record")
                    }
                    try bytes.withUnsafeBytes { bytes in
                        try body(
                            LoggedRecord(
                                position: RecordPosition(offset: start), next: RecordPosition(offset: end),
                                bytes: bytes))
                    }
                }
            }
        }
        return RecordPosition(offset: manifest.end)
    }

    // MARK: Ageing

    public func expire(before moment: Timestamp) throws -> Int {
        var next = manifest.withLock { $0 }
        let old = next.files.filter { $0.newest < moment.microseconds }
        guard !old.isEmpty else { return 0 }
        let paths = Set(old.map(\.path))
        for place in next.batches.indices { next.batches[place].files.removeAll { paths.contains($0.path) } }
        next.batches.removeAll { $0.files.isEmpty }
        // Files that the manifest names are there: it goes first.
        try next.write(in: folder)
        manifest.withLock { [next] in $0 = next }
        for path in paths { try? FileManager.default.removeItem(atPath: "\(folder)/\(path)") }
        return old.reduce(0) { $0 + $1.records }
    }
}
