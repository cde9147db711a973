import Basics
import Columnar

/// A column of a table, with the engine's name of its type.
struct TableColumn: Sendable, Equatable {
    let name: String
    let type: String

    /// The columns of a query, in order.
    static func of(_ query: String, _ engine: ColumnarEngine, context: String) async throws -> [TableColumn] {
        let found = try await engine.query("DESCRIBE \(query)", context: context)
        return zip(try found.strings("column_name"), try found.strings("column_type")).compactMap { name, type in
            name.flatMap { name in type.map { TableColumn(name: name, type: $0) } }
        }
    }

    private static let wholeTypes: Set<String> = [
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT",
        "UHUGEINT",
    ]

    private var plainType: String { String(type.prefix { $0 != "(" }) }

    var isWhole: Bool { Self.wholeTypes.contains(plainType) }

    var isNumber: Bool { isWhole || ["FLOAT", "DOUBLE", "DECIMAL"].contains(plainType) }

    var isBoolean: Bool { type == "BOOLEAN" }

    var isText: Bool { plainType == "VARCHAR" || plainType == "ENUM" }

    /// Lists of any or of a fixed length.
    var isList: Bool { type.hasSuffix("]") }
}
