import Basics
import Columnar

/// What a source holds now, told without reading its rows where that is possible.
struct SourceState: Sendable {
    /// Equal for equal content; nil where only the rows themselves can tell.
    var identity: Digest?
    var lineage: DatasetVersion.Lineage
}

/// The rows of a source, at hand as a query of the offline engine.
struct RawRows: Sendable {
    /// A SELECT of the declared columns in their declared types.
    var query: String
    /// Whether the source gives its rows in no order, so that one has to be made for equal rows to give equal bytes.
    var isUnordered = false
    /// The lineage with what was learned while reading.
    var lineage: DatasetVersion.Lineage
}

/// Reads the rows of one table.
protocol TableReader: Sendable {
    /// Looks at the source.
    func look() async throws -> SourceState

    /// Makes its rows readable.
    /// - Parameter folder: a folder of this ingest's own, for copies.
    func open(_ state: SourceState, in folder: String) async throws -> RawRows

    /// Throws where the source changed since it was looked at.
    func hold() async throws
}

/// What every reader works with.
struct ReaderTools: Sendable {
    let table: TableDefinition
    let engine: ColumnarEngine
    /// The factory's data folder.
    let folder: String
    let environment: [String: String]
    let time: any TimeSource
    let random: any RandomSource

    var context: String { "data/\(table.name)" }

    func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "\(folder)/\(path)" }

    /// A path as lineage tells it: relative to the data folder where it lies below it.
    func told(_ path: String) -> String {
        path.hasPrefix("\(folder)/") ? String(path.dropFirst(folder.utf8.count + 1)) : path
    }

    /// The value of a column as it is kept: in its declared type, and null in place of NaN.
    static func kept(_ expression: String, _ column: TableDefinition.ColumnDefinition) -> String {
        let name = SQLText.identifier(column.name)
        let value = "CAST(\(expression) AS \(column.type.sqlType))"
        switch column.type {
        case .double, .float: return "CASE WHEN isnan(\(value)) THEN NULL ELSE \(value) END AS \(name)"
        default: return "\(value) AS \(name)"
        }
    }

    /// The declared columns, each from the column of its name.
    var keptColumns: String {
        table.columns.map { Self.kept(SQLText.identifier($0.name), $0) }.joined(separator: ", ")
    }

    /// The columns of a query and their types, in order.
    func describe(_ query: String) async throws -> [(name: String, type: String)] {
        let found = try await engine.query("DESCRIBE \(query)", context: context)
        return zip(try found.strings("column_name"), try found.strings("column_type")).compactMap { name, type in
            name.flatMap { name in type.map { (name, $0) } }
        }
    }

    /// Refuses a source that lacks a declared column or holds it in a type that is not the declared one.
    /// - Parameter place: the file or table, for messages.
    func check(_ found: [(name: String, type: String)], of place: String, optional: Set<String> = []) throws {
        let types = Dictionary(found.map { ($0.name, $0.type) }) { first, _ in first }
        let missing = table.columns.map(\.name).filter { types[$0] == nil && !optional.contains($0) }
        guard missing.isEmpty else {
            throw DatasetsFailure.missingColumns(place: place, columns: missing, found: found.map(\.name))
        }
        for column in table.columns {
            if let type = types[column.name], !column.type.takes(type) {
                throw DatasetsFailure.changedType(
                    place: place, column: column.name, declared: column.type.rawValue, found: type)
            }
        }
    }

    /// A list of files as the engine's readers take it.
    static func list(_ paths: [String]) -> String {
        "[\(paths.map { SQLText.literal($0.engineLiteral) }.joined(separator: ", "))]"
    }
}

extension String {
    /// A path that the engine takes by the letter: it would take these for wildcards.
    var engineLiteral: String {
        var text = ""
        for character in self { text += "*?[".contains(character) ? "[\(character)]" : String(character) }
        return text
    }
}

extension ScalarType {
    /// Whether every value of an SQL type of the engine or of PostgreSQL is one of this type.
    func takes(_ type: String) -> Bool {
        let name = type.uppercased().prefix { $0 != "(" }.trimmingSpaces
        let integers: Set<String> = [
            "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
        ]
        let numbers = integers.union(["FLOAT", "DOUBLE", "DECIMAL", "HUGEINT", "REAL", "DOUBLE PRECISION", "NUMERIC"])
        switch self {
        case .integer: return integers.contains(name)
        case .double, .float: return numbers.contains(name)
        case .boolean: return name == "BOOLEAN"
        case .timestamp: return name.hasPrefix("TIMESTAMP") || name == "DATE"
        case .string:
            let others: Set<String> = ["BOOLEAN", "BLOB", "BYTEA", "STRUCT", "MAP", "LIST", "UNION", "ARRAY"]
            return !numbers.contains(name) && !others.contains(name) && !name.hasPrefix("TIMESTAMP")
                && !name.hasPrefix("DATE") && !type.hasSuffix("]")
        }
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        var rest = self
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}
