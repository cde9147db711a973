import Columnar

/// The conditions that judge one row by itself, or beside the rows before it.
struct ExpectationSQL {
    /// True where the row breaks the rule; null counts as false.
    let breaks: String
    /// True where the row is left out; nil where none is.
    let missing: String?

    /// Nil for rules that are no condition on a row: about the whole table, uniqueness, queries.
    init?(_ rule: Expectation.Rule) {
        func single(_ column: String, _ breaks: (String) -> String) -> ExpectationSQL {
            let name = SQLText.identifier(column)
            return ExpectationSQL(breaks(name), missing: "\(name) IS NULL")
        }
        func list(_ values: [ExpectationLiteral]) -> String { values.map(\.sql).joined(separator: ", ") }
        switch rule {
        case .notNull(let columns): self.init(Self.nulls(columns, joined: " OR "), missing: nil)
        case .null(let columns):
            self.init(columns.map { "\(SQLText.identifier($0)) IS NOT NULL" }.joined(separator: " OR "), missing: nil)
        case .between(let column, let bounds): self = single(column) { bounds.outside($0) }
        case .inSet(let column, let values):
            self = single(column) { values.isEmpty ? "\($0) IS NOT NULL" : "\($0) NOT IN (\(list(values)))" }
        case .notInSet(let column, let values):
            self = single(column) { values.isEmpty ? "false" : "\($0) IN (\(list(values)))" }
        case .matches(let column, let pattern):
            self = single(column) { "NOT regexp_matches(\($0), \(SQLText.literal(pattern)))" }
        case .notMatches(let column, let pattern):
            self = single(column) { "regexp_matches(\($0), \(SQLText.literal(pattern)))" }
        case .length(let column, let bounds): self = single(column) { bounds.outside("length(\($0))") }
        case .increasing(let column, let strictly):
            self = single(column) { "\($0) \(strictly ? "<=" : "<") \(Self.before($0))" }
        case .decreasing(let column, let strictly):
            self = single(column) { "\($0) \(strictly ? ">=" : ">") \(Self.before($0))" }
        case .compare(let left, let comparison, let right, let ignoring):
            let sql = comparison == .notEqual ? "<>" : comparison.rawValue
            self = Self.several(
                [left, right], ignoring, holds: "\(SQLText.identifier(left)) \(sql) \(SQLText.identifier(right))")
        case .sumTo(let columns, let total, let ignoring):
            let sum = columns.map { "CAST(\(SQLText.identifier($0)) AS DOUBLE)" }.joined(separator: " + ")
            self = Self.several(columns, ignoring, holds: "\(sum) = \(ExpectationLiteral.number(total).sql)")
        // On a line of its own, so that a comment in the expression ends before the parenthesis.
        case .sql(let expression): self.init("NOT (\(expression)\n)", missing: nil)
        case .unique, .query, .rowCount, .columns, .types, .nullFraction, .statistic, .quantile, .freshness,
            .distribution:
            return nil
        }
    }

    private init(_ breaks: String, missing: String?) {
        self.breaks = breaks
        self.missing = missing
    }

    /// The value of the last row before this one that has one.
    private static func before(_ name: String) -> String {
        "lag(\(name)) OVER (PARTITION BY \(name) IS NULL ORDER BY __row)"
    }

    private static func several(_ columns: [String], _ ignoring: Expectation.Missing, holds: String) -> ExpectationSQL {
        let missing: String? =
            switch ignoring {
            case .any: nulls(columns, joined: " OR ")
            case .all: nulls(columns, joined: " AND ")
            case .never: nil
            }
        let broken = "NOT coalesce(\(holds), false)"
        return ExpectationSQL(missing.map { "NOT (\($0)) AND \(broken)" } ?? broken, missing: missing)
    }

    /// The columns' tests for null.
    static func nulls(_ columns: [String], joined word: String) -> String {
        columns.map { "\(SQLText.identifier($0)) IS NULL" }.joined(separator: word)
    }
}
