import Basics
import Columnar
import Configuration
import Datasets
import Foundation
import Journal
import ObjectStorage
import SQL
import TestSupport

/// A dataset store over a folder of a test's own.
struct SmallDatasets {
    let folder: TemporaryFolder
    let database: Database
    let objects: any ObjectStore
    let engine: ColumnarEngine
    let store: DatasetStore
    let time = ManualTime(Timestamp(seconds: 1_577_836_800))

    init(environment: [String: String] = [:]) async throws {
        folder = try TemporaryFolder()
        for name in ["objects", "scratch", "data"] { try folder.write("", to: "\(name)/.keep") }
        database = try await Database.open(at: folder("works.db"))
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations)
        objects = try FileObjectStore(root: folder("objects"))
        engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: folder("scratch"), connections: 1))
        store = DatasetStore(
            database: database, objects: objects, engine: engine, time: time, random: SystemRandom(),
            scratch: folder("scratch"), environment: environment)
    }

    /// A table's definition from the lines of its YAML that are not the same for all.
    static func table(_ lines: String, name: String = "sales") throws -> TableDefinition {
        let text = "kind: table\nname: \(name)\nowner: test\n\(lines)"
        guard let node = try YAMLParser.parse(text, file: "data/\(name).yaml").first else {
            throw DatasetsFailure.badReference(name)
        }
        return try TableDefinition(node)
    }

    /// Where a path of the data folder is.
    func data(_ name: String) -> String { folder("data/\(name)") }

    @discardableResult
    func ingest(_ lines: String) async throws -> DatasetVersion {
        try await store.ingest(try Self.table(lines), from: folder("data"), by: "user:test")
    }

    /// A version's rows, each as JSON, in order.
    func rows(_ version: DatasetVersion) async throws -> [String] {
        let path = try await objects.localPath(version.digest)
        return try await engine.query(
            "SELECT CAST(to_json(r) AS VARCHAR) AS row FROM read_parquet(\(SQLText.literal(path))) AS r"
        ).strings("row").compactMap { $0 }
    }

    /// Writes the rows of a query into a Parquet file of the data folder.
    func parquet(_ name: String, _ query: String) async throws {
        try folder.write("", to: "data/\(name)")
        try await engine.writeParquet(query: query, to: data(name))
    }

    /// What is left of ingests that are over.
    func leftovers() async throws -> [String] {
        let tables = try await engine.query(
            "SELECT table_name AS name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
        ).strings("name").compactMap { $0 }
        return tables
            + (try FileManager.default.contentsOfDirectory(atPath: folder("scratch")).filter { $0 != ".keep" })
    }
}
