import Basics
import Columnar
import Configuration
import Datasets
import Foundation
import Journal
import ObjectStorage
import SQL
import TestSupport

/// A dataset store of a test's own, over rows that the test writes.
struct ExpectationBench {
    let folder: TemporaryFolder
    let store: DatasetStore
    let database: Database

    /// - Parameter now: what freshness is told against.
    init(now: Timestamp = Timestamp(seconds: 0)) async throws {
        folder = try TemporaryFolder()
        for name in ["objects", "scratch", "data"] { try folder.write("", to: "\(name)/.keep") }
        let path = folder.path
        database = try await Database.open(at: "\(path)/works.db")
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations)
        store = DatasetStore(
            database: database, objects: try FileObjectStore(root: "\(path)/objects"),
            engine: ColumnarEngine(ColumnarOptions(temporaryDirectory: "\(path)/scratch")), time: ManualTime(now),
            random: SystemRandom(), scratch: "\(path)/scratch")
    }

    var dataFolder: String { folder("data") }

    /// Writes rows as JSON lines and defines the table over them.
    func table(
        _ columns: KeyValuePairs<String, String>, _ rows: [[JSONValue]], _ expectations: String, name: String = "t"
    ) throws -> TableDefinition {
        let columns = columns.map { ($0.key, $0.value) }
        try write(columns.map(\.0), rows, name)
        return try Self.definition(columns, expectations, name: name)
    }

    func write(_ columns: [String], _ rows: [[JSONValue]], _ name: String) throws {
        let lines = try rows.map { row in
            try JSON.string(JSONValue.object(Dictionary(zip(columns, row)) { first, _ in first })) + "\n"
        }
        try folder.write(lines.joined(), to: "data/\(name).json")
    }

    /// A table's definition by the YAML of its expectations.
    static func definition(_ columns: [(String, String)], _ expectations: String, name: String = "t") throws
        -> TableDefinition
    {
        let text = """
            kind: table
            name: \(name)
            owner: test
            format: json
            path: \(name).json
            may_be_empty: true
            columns: {\(columns.map { "\($0.0): \($0.1)" }.joined(separator: ", "))}

            """
        let nodes = try YAMLParser.parse(text + expectations, file: "data/\(name).yaml")
        guard let node = nodes.first else { throw ConfigurationFailure(file: "data/\(name).yaml", "there is nothing") }
        return try TableDefinition(node)
    }

    /// The one result of one rule.
    func judge(
        _ columns: KeyValuePairs<String, String>, _ rows: [[JSONValue]], _ rule: String, mostly: Double? = nil
    ) async throws -> ExpectationResult? {
        let share = mostly.map { "mostly: \($0), " } ?? ""
        let table = try table(columns, rows, "expectations:\n  - {name: rule, severity: warn, \(share)\(rule)}\n")
        return try await store.validate(table, from: dataFolder).results.first
    }

    func close() async { await database.close() }
}

/// A file beside the tests.
func fixture(_ name: String) throws -> JSONValue {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return try JSON.decode(JSONValue.self, from: Data(contentsOf: folder.appending(path: "Fixtures/\(name)")))
}
