import Basics
import Columnar
import Foundation
import SQL

/// Copies the rows of a database's query into a Parquet file.
struct DatabaseRows: Sendable {
    let url: StoreURL
    let query: String
    let engine: ColumnarEngine

    /// - Parameter folder: where what is copied on the way lies.
    /// - Throws: `SQLFailure`, `StoreURLFailure`, ``ScoringFailure/badInput(_:reason:)``.
    func copy(to path: String, folder: String) async throws {
        if url.scheme == "sqlite" { try await copySQLite(to: path) } else { try await copyPostgres(to: path, folder) }
    }

    private static let table = "rows_of_database"

    private func copyPostgres(to path: String, _ folder: String) async throws {
        let export = try PostgresExport(url)
        let columns = try await export.columns(of: query)
        guard !columns.isEmpty else {
            throw ScoringFailure.badInput(url.description, reason: "the query has no columns")
        }
        let types = columns.map { Self.type($0.type) }
        // The last column keeps a row of one null from being an empty line.
        let values = zip(columns, types).map { "CAST(\(SQLText.identifier($0.name)) AS \($1.server))" } + ["1"]
        let file = "\(folder)/rows.csv"
        defer { try? FileManager.default.removeItem(atPath: file) }
        _ = try await export.write("SELECT \(values.joined(separator: ", ")) FROM (\(query)\n) AS source", toCSV: file)
        let declared =
            zip(columns, types).map { "\(SQLText.literal($0.name)): '\($1.engine)'" } + ["'end of row': 'BIGINT'"]
        let names = columns.map { SQLText.identifier($0.name) }.joined(separator: ", ")
        try await engine.writeParquet(
            query: """
                SELECT \(names) FROM read_csv([\(SQLText.literal(file.readAsItStands))], auto_detect = false, \
                header = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, \
                columns = {\(declared.joined(separator: ", "))}, strict_mode = true, parallel = false, \
                hive_partitioning = false)
                """, to: path, context: url.description)
    }

    /// The server's type that a column is sent as, and the engine's that it becomes.
    private static func type(_ name: String) -> (server: String, engine: String) {
        switch name.prefix(while: { $0 != "(" }).split(separator: " ").first.map(String.init) ?? "" {
        case "smallint", "integer", "bigint": ("bigint", "BIGINT")
        case "real": ("real", "FLOAT")
        case "double", "numeric": ("double precision", "DOUBLE")
        case "boolean": ("boolean", "BOOLEAN")
        case "timestamp": ("timestamp", "TIMESTAMP")
        case "date": ("date", "DATE")
        default: ("text", "VARCHAR")
        }
    }

    private func copySQLite(to path: String) async throws {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw ScoringFailure.badInput(url.description, reason: "there is no file \(url.path)")
        }
        let database = try await Database.open(url)
        do {
            try await database.read { [self] transaction in
                let columns = try columns(in: transaction)
                let connection = try engine.connect()
                let declared = columns.map { "\(SQLText.identifier($0.name)) \($0.kind.sqlType)" }
                try connection.execute("CREATE OR REPLACE TABLE \(Self.table) (\(declared.joined(separator: ", ")))")
                var pending: [Row] = []
                try transaction.forEach(query) { row in
                    pending.append(row)
                    if pending.count == Self.batch { try Self.move(&pending, columns, connection) }
                }
                try Self.move(&pending, columns, connection)
                try connection.writeParquet(query: "SELECT * FROM \(Self.table)", to: path)
                try connection.execute("DROP TABLE \(Self.table)")
            }
        } catch {
            await database.close()
            throw error
        }
        await database.close()
    }

    private static let batch = 10_000

    /// What a column's values are: SQLite has a type for each value, and a column here one for all.
    private enum Kind: Int {
        case unknown, whole, real, text

        var sqlType: String {
            switch self {
            case .whole: "BIGINT"
            case .real: "DOUBLE"
            case .unknown, .text: "VARCHAR"
            }
        }
    }

    private func columns(in transaction: Transaction) throws -> [(name: String, kind: Kind)] {
        var names: [String] = []
        var kinds: [Kind] = []
        try transaction.forEach(query) { row in
            if names.isEmpty {
                names = row.columns
                kinds = names.map { _ in .unknown }
            }
            for (index, name) in names.enumerated() {
                let kind: Kind =
                    switch try row.value(name) {
                    case .null: .unknown
                    case .integer: .whole
                    case .double: .real
                    case .text: .text
                    case .blob: throw ScoringFailure.unfitColumn(name, type: "BLOB", takes: "numbers or text")
                    }
                if kind.rawValue > kinds[index].rawValue { kinds[index] = kind }
            }
        }
        guard !names.isEmpty else {
            throw ScoringFailure.badInput(url.description, reason: "the query gives no rows, and so no columns")
        }
        return Array(zip(names, kinds))
    }

    private static func move(
        _ rows: inout [Row], _ columns: [(name: String, kind: Kind)], _ connection: ColumnarConnection
    ) throws {
        let members = try columns.map { name, kind -> (name: String, column: Column) in
            let values = try rows.map { try $0.value(name) }
            switch kind {
            case .whole:
                return (name, try Column(.int64s(values.map(\.whole)), validity: values.map { $0 != .null }))
            case .real:
                return (name, try Column(.doubles(values.map(\.real)), validity: values.map { $0 != .null }))
            case .unknown, .text: return (name, .strings(nullable: values.map(\.words)))
            }
        }
        try connection.append(try Table(members), to: table)
        rows.removeAll(keepingCapacity: true)
    }
}

extension SQLValue {
    fileprivate var whole: Int64 { if case .integer(let value) = self { value } else { 0 } }

    fileprivate var real: Double {
        switch self {
        case .integer(let value): Double(value)
        case .double(let value): value
        case .null, .text, .blob: 0
        }
    }

    fileprivate var words: String? {
        switch self {
        case .integer(let value): "\(value)"
        case .double(let value): "\(value)"
        case .text(let value): value
        case .null, .blob: nil
        }
    }
}
