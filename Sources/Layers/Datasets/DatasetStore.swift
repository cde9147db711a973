import Basics
import Columnar
import Foundation
import Journal
import ObjectStorage
import SQL

/// One immutable state of a table: what passed its expectations, named by its content.
public struct DatasetVersion: Sendable, Codable, Equatable {
    public var table: String
    /// The digest of the Parquet file that holds its rows.
    public var digest: Digest
    public var rows: Int64
    /// The digest of the Parquet file that holds the rows left out with their reasons, where there are any.
    public var quarantine: Digest?
    public var quarantined: Int64
    public var results: [ExpectationResult]
    /// The digest of the file it was read from.
    public var source: Digest
    public var definition: Digest
    public var created: Timestamp
}

/// Reads raw tables, checks them, and keeps what passed as dataset versions.
///
/// Guarantees: a version is readable only when all its expectations of severity `stop` hold; the same file under the
/// same definition gives the same digest; a failed ingest leaves the versions that were there.
public final class DatasetStore: Sendable {
    private let database: Database
    let objects: any ObjectStore
    let engine: ColumnarEngine
    let time: any TimeSource
    private let scratch: String

    /// - Parameter scratch: a folder for files under way.
    public init(
        database: Database, objects: any ObjectStore, engine: ColumnarEngine, time: any TimeSource,
        scratch: String
    ) {
        self.database = database
        self.objects = objects
        self.engine = engine
        self.time = time
        self.scratch = scratch
    }

    public static let migrations = [
        Migration(
            room: "datasets", version: 1,
            sql: """
                CREATE TABLE dataset_versions (
                  "table" TEXT NOT NULL, number INTEGER NOT NULL, digest TEXT NOT NULL, record TEXT NOT NULL,
                  created INTEGER NOT NULL, PRIMARY KEY ("table", number));
                """)
    ]

    /// The newest version of every table.
    public func latest() async throws -> [String: DatasetVersion] {
        try await database.read { transaction in
            var versions: [String: DatasetVersion] = [:]
            for row in try transaction.query(
                "SELECT \"table\", record FROM dataset_versions ORDER BY \"table\", number", [])
            {
                versions[try row.string("table")] = try JSON.decode(
                    DatasetVersion.self, from: try row.string("record"))
            }
            return versions
        }
    }

    /// Every version of a table, newest first.
    public func versions(of table: String) async throws -> [DatasetVersion] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT record FROM dataset_versions WHERE \"table\" = ? ORDER BY number DESC", [.text(table)]
            ).map { try JSON.decode(DatasetVersion.self, from: try $0.string("record")) }
        }
    }

    /// Reads the table's file, checks it and publishes a version; returns the version there is where nothing changed.
    ///
    /// - Parameter folder: the factory's data folder.
    /// - Throws: ``DatasetsFailure/missingFile(_:)``, ``DatasetsFailure/wrongHash(file:expected:found:)``,
    ///   ``DatasetsFailure/expectation(table:expectation:failing:of:example:)``, or the engine's error for a file it can
    ///   not read.
    public func ingest(_ table: TableDefinition, from folder: String, by principal: String) async throws
        -> DatasetVersion
    {
        let path = table.path.hasPrefix("/") ? table.path : "\(folder)/\(table.path)"
        guard FileManager.default.fileExists(atPath: path) else { throw DatasetsFailure.missingFile(path) }
        let source = try await fileDigest(path)
        if let expected = table.sha256, expected != source {
            throw DatasetsFailure.wrongHash(file: path, expected: expected, found: source)
        }
        let definition = Digest(of: try JSON.canonical(table))
        if let last = try await versions(of: table.name).first, last.source == source, last.definition == definition {
            return last
        }
        let staging = SQLText.identifier("staging_\(table.name)")
        let reasons = SQLText.identifier("reasons_\(table.name)")
        let context = "data/\(table.name)"
        try await engine.execute(
            "CREATE OR REPLACE TABLE \(staging) AS SELECT row_number() OVER () AS __row, * FROM \(reader(table, path))",
            context: context)
        try await engine.execute(
            "CREATE OR REPLACE TABLE \(reasons) (__row BIGINT, expectation VARCHAR)", context: context)
        let results = try await check(table, staging: staging, reasons: reasons, dataFolder: folder)
        let columns = table.columns.map { SQLText.identifier($0.name) }.joined(separator: ", ")
        let kept = try await publish(
            "SELECT \(columns) FROM \(staging) WHERE __row NOT IN (SELECT __row FROM \(reasons)) ORDER BY __row",
            context: context)
        let aside = try await publish(
            """
            SELECT s.*, r.reasons FROM \(staging) AS s JOIN (
              SELECT __row, string_agg(expectation, ', ' ORDER BY expectation) AS reasons FROM \(reasons) GROUP BY __row
            ) AS r USING (__row) ORDER BY __row
            """, context: context)
        try await engine.execute("DROP TABLE \(staging); DROP TABLE \(reasons)", context: context)
        let version = DatasetVersion(
            table: table.name, digest: kept.digest, rows: kept.rows, quarantine: aside.rows > 0 ? aside.digest : nil,
            quarantined: aside.rows, results: results, source: source, definition: definition, created: time.now)
        try await record(version, by: principal)
        return version
    }

    private func record(_ version: DatasetVersion, by principal: String) async throws {
        let text = try JSON.string(version)
        try await database.write { transaction in
            let next =
                try transaction.first(
                    "SELECT coalesce(max(number), 0) + 1 AS next FROM dataset_versions WHERE \"table\" = ?",
                    [.text(version.table)])?.integer("next") ?? 1
            try transaction.execute(
                "INSERT INTO dataset_versions (\"table\", number, digest, record, created) VALUES (?, ?, ?, ?, ?)",
                [
                    .text(version.table), .integer(next), .text(version.digest.description), .text(text),
                    .init(version.created),
                ])
            try Journal.append(
                JournalDraft(
                    principal: principal, type: "dataset.published", subject: "dataset/\(version.table)",
                    body: [
                        "digest": .string(version.digest.description), "rows": .integer(version.rows),
                        "quarantined": .integer(version.quarantined), "source": .string(version.source.description),
                    ]),
                in: transaction, at: version.created)
        }
    }

    private func fileDigest(_ path: String) async throws -> Digest {
        try await BlockingThread(name: "digest").run {
            guard let handle = FileHandle(forReadingAtPath: path) else { throw DatasetsFailure.missingFile(path) }
            defer { try? handle.close() }
            var builder = Digest.Builder()
            while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
                chunk.withUnsafeBytes { builder.update($0) }
            }
            return builder.finish()
        }
    }

    func reader(_ table: TableDefinition, _ path: String) -> String {
        let file = SQLText.literal(path)
        switch table.format {
        case .parquet: return "read_parquet(\(file))"
        case .json, .csv:
            let columns = table.columns.map { "\(SQLText.literal($0.name)): \(SQLText.literal($0.type.sqlType))" }
                .joined(separator: ", ")
            guard table.format == .csv else { return "read_json(\(file), columns = {\(columns)})" }
            let nulls = ([""] + table.nulls).map(SQLText.literal).joined(separator: ", ")
            return """
                read_csv(\(file), auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', \
                nullstr = [\(nulls)], columns = {\(columns)}, strict_mode = true, parallel = false)
                """
        }
    }

    /// Writes the rows of a query as one Parquet object.
    public func publish(_ query: String, context: String) async throws -> (digest: Digest, rows: Int64) {
        let path =
            "\(scratch)/\(UInt64(bitPattern: Int64(Digest(of: query).hashValue)))-\(time.now.microseconds).parquet"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let rows = try await engine.writeParquet(query: query, to: path, context: context)
        return (try await objects.put(file: path), rows)
    }
}
