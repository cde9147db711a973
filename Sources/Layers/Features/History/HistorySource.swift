import Basics
import Columnar
import Datasets

/// Where a request takes the rows of a view from.
enum HistorySource: Sendable {
    /// From its history, a file.
    case stored(ViewHistory, path: String)
    /// From its query, for this request alone.
    case computed(ComputedHistory)

    /// The rows as a table of SQL with the types that a join sees, before it is known which can be used.
    var relation: String {
        switch self {
        case .stored(_, let path): FeatureStore.reading(path)
        case .computed(let history): "(\n\(history.query)\n)"
        }
    }

    /// The file with the rows, where there is one.
    var path: String? { if case .stored(_, let path) = self { path } else { nil } }

    /// What its temporary table is called, where it has one.
    var computedTable: String? { if case .computed(let history) = self { history.table } else { nil } }

    /// How many rows there are, where it is known.
    var rows: Int64? { if case .stored(let history, _) = self { history.rows } else { nil } }
}

/// The rows of a view for one request: neither ordered nor kept.
struct ComputedHistory: Sendable {
    let view: FeatureView
    /// The view's query.
    let query: String
    /// What temporary tables are called; no other has the name.
    let table: String

    /// Runs the query once, checks its rows, and makes a table of those that a request can use.
    ///
    /// - Parameters:
    ///   - plan: its joins are told whether they are sparse.
    ///   - places: the joins that take this view's rows.
    ///   - connection: in a transaction that is undone.
    /// - Returns: the table in SQL.
    /// - Throws: ``FeaturesFailure/badView(view:problem:)`` where rows can not be used.
    func make(
        for plan: inout HistoryPlan, _ places: [Int], _ entities: EntityRows, on connection: ColumnarConnection
    ) throws -> String {
        let context = "features/\(view.name)"
        let all = SQLText.identifier("all_\(table)")
        let count = try connection.execute("CREATE TEMP TABLE \(all) AS \(query)", context: context)
        for place in places { plan.joins[place].isSparse = entities.isFew(beside: count) }
        let checks = HistoryPruning(view: view, rows: all)
        let found = try checks.judge(try connection.query(checks.checks, context: context))
        let usable = usable(among: all, places.map { plan.joins[$0] }, entities)
        let pruned = HistoryPruning(view: view, rows: usable).query(hasTies: found.hasTies)
        // What is joined only once need not lie anywhere in between.
        let kind = places.count == 1 ? "VIEW" : "TABLE"
        try connection.execute("CREATE TEMP \(kind) \(SQLText.identifier(table)) AS \(pruned)", context: context)
        return SQLText.identifier(table)
    }

    /// The rows that can be used at some moment asked for, with their position. The others need not be ordered: being too
    /// old, too new or of another entity, they can not decide which of these is used.
    private func usable(among all: String, _ joins: [HistoryPlan.Join], _ entities: EntityRows) -> String {
        let eventTime = "h.\(SQLText.identifier(view.eventTime))"
        var conditions = ["\(eventTime) <= \(SQLText.timestamp(entities.bounds.upperBound))"]
        if view.delays, let createdTime = view.createdTime {
            let created = "h.\(SQLText.identifier(createdTime))"
            conditions.append("\(created) <= \(SQLText.timestamp(entities.bounds.upperBound))")
        }
        if let ttl = joins.first?.boundedTTL {
            let first = SQLText.timestamp(entities.bounds.lowerBound)
            conditions.append("\(eventTime) >= \(first) - to_seconds(\(ttl))")
        }
        var among = ""
        if let join = joins.first, joins.count == 1, join.isSparse {
            among = " SEMI JOIN \(entities.relation) AS e ON \(DuckDBHistory.matches(join, "h"))"
        }
        return """
            (SELECT h.*, h.rowid AS file_row_number FROM \(all) AS h\(among)
             WHERE \(conditions.joined(separator: " AND ")))
            """
    }
}
