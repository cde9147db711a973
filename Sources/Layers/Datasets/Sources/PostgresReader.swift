import Basics
import Columnar
import Foundation
import SQL

/// Reads a table or query of PostgreSQL by way of a file on this machine.
struct PostgresReader: TableReader {
    private let tools: ReaderTools
    private let export: PostgresExport
    private let query: String
    private let place: String

    /// - Throws: `StoreURLFailure`, `SecretFailure`.
    init(_ tools: ReaderTools, _ origin: PostgresOrigin) throws {
        self.tools = tools
        let secrets = SecretSource(environment: tools.environment)
        switch origin.address {
        case .url(let text): export = try PostgresExport(StoreURL(text, secrets: secrets))
        case .variable(let name):
            export = try PostgresExport(StoreURL(try secrets.variable(name).revealed, secrets: secrets))
        }
        switch origin.rows {
        case .table(let name):
            let parts = name.split(separator: ".", omittingEmptySubsequences: false).map {
                SQLText.identifier(String($0))
            }
            query = "SELECT * FROM \(parts.joined(separator: "."))"
            place = "\(export.place) table \(name)"
        case .query(let text):
            var text = text[...]
            while let last = text.last, last == ";" || last.isWhitespace { text.removeLast() }
            query = String(text)
            place = "\(export.place) query \(text)"
        }
    }

    func look() async throws -> SourceState {
        SourceState(identity: nil, lineage: DatasetVersion.Lineage(kind: "postgresql", place: place))
    }

    func open(_ state: SourceState, in folder: String) async throws -> RawRows {
        let found = try await export.columns(of: query)
        try tools.check(found.map { ($0.name, $0.type) }, of: place)
        let columns = tools.table.columns
        // The last column keeps a row of one null from being an empty line.
        let values = columns.map { "CAST(\(SQLText.identifier($0.name)) AS \($0.type.serverType))" } + ["1"]
        let path = "\(folder)/rows.csv"
        _ = try await export.write(
            "SELECT \(values.joined(separator: ", ")) FROM (\(query)\n) AS source", toCSV: path)
        let types =
            (columns.map { "\(SQLText.literal($0.name)): \(SQLText.literal($0.type.sqlType))" }
            + ["'end of row': 'BIGINT'"]).joined(separator: ", ")
        let read = """
            SELECT \(tools.keptColumns) FROM read_csv(\(ReaderTools.list([path])), auto_detect = false, header = false, \
            delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, \
            columns = {\(types)}, strict_mode = true, parallel = false, hive_partitioning = false)
            """
        return RawRows(query: read, isUnordered: true, lineage: state.lineage)
    }

    func hold() async throws {}
}

extension ScalarType {
    /// The type's name in PostgreSQL.
    fileprivate var serverType: String {
        switch self {
        case .integer: "bigint"
        case .double: "double precision"
        case .float: "real"
        case .string: "text"
        case .timestamp: "timestamp"
        case .boolean: "boolean"
        }
    }
}
