import Basics
import Columnar
import Datasets

/// Rows written by hand, as a query with typed columns.
struct GivenRows {
    /// In order; types that nobody declared are the narrowest that hold all values.
    let columns: [TableDefinition.ColumnDefinition]
    private let rows: [[String: String?]]

    /// - Parameter declared: types that are known; columns that no row has are null throughout.
    init(_ rows: [[String: String?]], declared: [TableDefinition.ColumnDefinition] = []) {
        self.rows = rows
        let known = Set(declared.map(\.name))
        let others = Set(rows.flatMap(\.keys)).subtracting(known).sorted()
        columns =
            declared
            + others.map { name in
                .init(name: name, type: Self.type(of: rows.compactMap { $0[name].flatMap { $0 } }))
            }
    }

    func type(of column: String) -> ScalarType? { columns.first { $0.name == column }?.type }

    /// - Parameter extra: columns of SQL expressions over the others, by name.
    func query(adding extra: [(name: String, sql: String)] = []) -> String {
        let list = columns.map { SQLText.identifier($0.name) }.joined(separator: ", ")
        let more = extra.map { ", \($0.sql) AS \(SQLText.identifier($0.name))" }.joined()
        guard !rows.isEmpty else {
            let nulls = columns.map { "CAST(NULL AS \($0.type.sqlType)) AS \(SQLText.identifier($0.name))" }
            return "SELECT *\(more) FROM (SELECT \(nulls.joined(separator: ", "))) WHERE false"
        }
        let values = rows.map { row in
            let cells = columns.map { column in
                let text = row[column.name].flatMap { $0 }
                return "CAST(\(text.map(SQLText.literal) ?? "NULL") AS \(column.type.sqlType))"
            }
            return "(\(cells.joined(separator: ", ")))"
        }
        return "SELECT *\(more) FROM (VALUES \(values.joined(separator: ", "))) AS given(\(list))"
    }

    private static func type(of texts: [String]) -> ScalarType {
        guard !texts.isEmpty else { return .string }
        if texts.allSatisfy({ Int64($0) != nil }) { return .integer }
        if texts.allSatisfy({ Double($0) != nil }) { return .double }
        if texts.allSatisfy({ $0 == "true" || $0 == "false" }) { return .boolean }
        if texts.allSatisfy({ Timestamp($0) != nil }) { return .timestamp }
        return .string
    }
}
