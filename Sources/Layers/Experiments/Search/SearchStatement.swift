import SQL

/// A statement of a search that is put together from conditions. What comes from outside is a parameter, never text of
/// the statement.
package struct SearchStatement {
    /// How many conditions may be subqueries that a database joins.
    private static let joinLimit = 8
    /// How many values a statement may have, a little less than SQLite takes.
    private static let valueLimit = 32_000

    private(set) var joins = ""
    private(set) var conditions: [String] = []
    private(set) var order: [String] = []
    private var joinValues: [SQLValue] = []
    private var values: [SQLValue] = []

    package init() {}

    package mutating func require(_ condition: String, _ values: [SQLValue] = []) {
        // PostgreSQL joins subqueries that are conditions of their own, and a hundred joins take it seconds to plan. What
        // is a part of an expression it does not join.
        let isPlain = conditions.count < Self.joinLimit || !condition.contains("SELECT")
        conditions.append(isPlain ? condition : "(\(condition)) IS TRUE")
        self.values += values
    }

    package mutating func require(_ column: String, among items: [SQLValue]) {
        require("\(column) IN (\(Self.marks(items.count)))", items)
    }

    package mutating func join(_ text: String, _ values: [SQLValue]) {
        joins += "\n" + text
        joinValues += values
    }

    package mutating func sort(by text: String) { order.append(text) }

    /// The rows of a page, and one more where there is one.
    package func rows(_ select: String, limit: Int, offset: Int, in transaction: Transaction) throws -> [Row] {
        let count = joinValues.count + values.count
        guard count <= Self.valueLimit else {
            throw ExperimentsFailure.search(
                "Invalid search: it compares with \(count) values, the most is \(Self.valueLimit)")
        }
        return try transaction.query(
            "\(select)\(joins)\(filter)\nORDER BY \(order.joined(separator: ", ")) LIMIT ? OFFSET ?",
            joinValues + values + [.integer(Int64(limit) + 1), .integer(Int64(offset))])
    }

    /// How many rows of a table it finds.
    func count(_ table: String, in transaction: Transaction) throws -> Int {
        try transaction.first("SELECT count(*) AS n FROM \(table)\(joins)\(filter)", joinValues + values)?.int("n") ?? 0
    }

    private var filter: String {
        conditions.isEmpty ? "" : "\nWHERE " + conditions.joined(separator: "\n  AND ")
    }

    /// A condition on a text.
    package static func text(_ column: String, _ clause: SearchFilter.Clause) -> (condition: String, values: [SQLValue])
    {
        switch (clause.comparison, clause.value) {
        case (.like, .text(let text)): ("\(column) LIKE ? ESCAPE '\\'", [.text(pattern(text))])
        case (.likeAnyCase, .text(let text)): ("lower(\(column)) LIKE lower(?) ESCAPE '\\'", [.text(pattern(text))])
        case (.among, .list(let items)): ("\(column) IN (\(marks(items.count)))", items.map { .text($0) })
        case (.notAmong, .list(let items)): ("\(column) NOT IN (\(marks(items.count)))", items.map { .text($0) })
        case (.unequal, .text(let text)): ("\(column) <> ?", [.text(text)])
        case (_, .text(let text)): ("\(column) = ?", [.text(text)])
        default: ("\(column) IS NOT NULL", [])
        }
    }

    /// A condition on a number that is kept in another unit.
    package static func number(_ column: String, _ clause: SearchFilter.Clause) -> (
        condition: String, values: [SQLValue]
    ) {
        let sign = clause.comparison == .unequal ? "<>" : clause.comparison.rawValue
        switch clause.value {
        case .number(.integer(let number)): return ("\(column) \(sign) ?", [.integer(number)])
        // Beside a column of integers PostgreSQL would take it for one.
        case .number(.double(let number)): return ("\(column) \(sign) CAST(? AS DOUBLE PRECISION)", [.double(number)])
        default: return ("\(column) IS NOT NULL", [])
        }
    }

    package static func marks(_ count: Int) -> String {
        // An empty list matches nothing.
        count == 0 ? "NULL" : [String](repeating: "?", count: count).joined(separator: ", ")
    }

    /// A pattern in which a backslash stands for itself, as MLflow has it.
    private static func pattern(_ text: String) -> String { text.replacing("\\", with: "\\\\") }
}
