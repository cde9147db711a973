import Columnar

/// The queries that check one rule over a staged table.
struct ExpectationSQL {
    /// One row: `total` and `failing`.
    let count: String
    /// The `__row` of every row that breaks the rule; nil for rules about the whole table.
    let failingRows: String?
    let summary: String

    /// The first row that breaks the rule.
    var firstRow: String? { failingRows.map { "SELECT min(__row) FROM (\($0))" } }

    init(_ rule: Expectation.Rule, staging: String) {
        func rows(where condition: String, _ summary: String) -> ExpectationSQL {
            ExpectationSQL(
                count: "SELECT count(*) AS total, count(*) FILTER (WHERE \(condition)) AS failing FROM \(staging)",
                failingRows: "SELECT __row FROM \(staging) WHERE \(condition)", summary: summary)
        }
        func whole(failing: String, _ summary: String) -> ExpectationSQL {
            ExpectationSQL(
                count: "SELECT count(*) AS total, CASE WHEN \(failing) THEN 1 ELSE 0 END AS failing FROM \(staging)",
                failingRows: nil, summary: summary)
        }
        switch rule {
        case .notNull(let columns):
            let condition = columns.map { "\(SQLText.identifier($0)) IS NULL" }.joined(separator: " OR ")
            self = rows(where: condition, "null in \(columns.joined(separator: ", "))")
        case .between(let column, let minimum, let maximum):
            let name = SQLText.identifier(column)
            let bounds = [minimum.map { "\(name) < \($0)" }, maximum.map { "\(name) > \($0)" }].compactMap { $0 }
            self = rows(
                where: bounds.isEmpty ? "false" : bounds.joined(separator: " OR "), "\(column) is out of range")
        case .inSet(let column, let values):
            let set = values.map(SQLText.literal).joined(separator: ", ")
            self = rows(
                where: "CAST(\(SQLText.identifier(column)) AS VARCHAR) NOT IN (\(set))", "\(column) is not in the set")
        case .matches(let column, let pattern):
            self = rows(
                where: "NOT regexp_matches(\(SQLText.identifier(column)), \(SQLText.literal(pattern)))",
                "\(column) does not match")
        case .unique(let columns):
            let keys = columns.map(SQLText.identifier).joined(separator: ", ")
            // As in SQL, a null equals no other null.
            let complete = columns.map { "\(SQLText.identifier($0)) IS NOT NULL" }.joined(separator: " AND ")
            let query = """
                SELECT __row FROM \(staging) WHERE \(complete)
                QUALIFY row_number() OVER (PARTITION BY \(keys) ORDER BY __row) > 1
                """
            self = ExpectationSQL(
                count: """
                    SELECT (SELECT count(*) FROM \(staging)) AS total, (SELECT count(*) FROM (\(query))) AS failing
                    """,
                failingRows: query, summary: "repeated \(columns.joined(separator: ", "))")
        case .rowCount(let minimum, let maximum):
            let bounds = [minimum.map { "count(*) < \($0)" }, maximum.map { "count(*) > \($0)" }].compactMap { $0 }
            self = whole(
                failing: bounds.isEmpty ? "false" : bounds.joined(separator: " OR "),
                "the number of rows is out of range")
        case .sql(let expression):
            self = rows(where: "NOT coalesce((\(expression)), true)", "does not hold: \(expression)")
        case .nullFraction(let column, let maximum):
            let name = SQLText.identifier(column)
            self = whole(
                failing: "count(*) > 0 AND (count(*) - count(\(name))) > \(maximum) * count(*)",
                "too many nulls in \(column)")
        }
    }

    private init(count: String, failingRows: String?, summary: String) {
        self.count = count
        self.failingRows = failingRows
        self.summary = summary
    }
}
