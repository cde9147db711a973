import Basics

/// Plans in Spark's SQL, which has no ASOF JOIN: for each view the entity rows and the history are put in one order by key
/// and time, and the last history row before an entity row is carried to it by a window. That is one shuffle and sort per view,
/// without any pairing of rows, and no key is too large for it.
public struct SparkHistory: HistoryDialect {
    public init() {}

    public func query(_ plan: HistoryPlan, entities: String, histories: [String], keepsRow: Bool) -> String {
        var columns = plan.columns.map { "e.\(name($0))" }
        if keepsRow { columns.insert("e.\(name(HistoryPlan.row))", at: 0) }
        var found: [String] = []
        var joins = ""
        for (index, (join, history)) in zip(plan.joins, histories).enumerated() {
            let alias = "v\(index)"
            found.append("\(alias) AS (\n\(latest(join, entities: entities, history: history))\n)")
            joins += "\nLEFT JOIN \(alias) ON \(alias).place = e.\(name(HistoryPlan.row))"
            for (number, output) in join.outputs.enumerated() {
                let value = "\(alias).found.f\(number)"
                let fresh = join.boundedTTL.map { ttl in
                    "CASE WHEN \(alias).found.event_time >= e.\(name(HistoryPlan.moment)) - "
                        + "make_dt_interval(\(ttl / 86_400), 0, 0, \(ttl % 86_400)) THEN \(value) END"
                }
                columns.append("\(fresh ?? value) AS \(name(output.name))")
            }
        }
        let with = found.isEmpty ? "" : "WITH \(found.joined(separator: ",\n"))\n"
        return """
            \(with)SELECT \(columns.joined(separator: ",\n       "))
            FROM \(entities) AS e\(joins)\(keepsRow ? "" : "\nORDER BY e.\(name(HistoryPlan.row))")
            """
    }

    /// For each entity row with all its keys: its place, and the history row that was knowable last, or null.
    private func latest(_ join: HistoryPlan.Join, entities: String, history: String) -> String {
        let values = join.outputs.enumerated().map { "'f\($0)', h.\(name($1.column))" }
        let row = (["'event_time', h.\(name(join.eventTime))"] + values).joined(separator: ", ")
        let keys = join.keys.indices.map { "k\($0)" }.joined(separator: ", ")
        let historyKeys = join.keys.enumerated().map { "h.\(name($1.column)) AS k\($0)" }.joined(separator: ", ")
        let entityKeys = join.keys.enumerated().map { index, key in
            let column = "e.\(name(key.entityColumn))"
            return "\(key.isWholeNumber ? "CAST(\(column) AS BIGINT)" : column) AS k\(index)"
        }.joined(separator: ", ")
        let present = join.keys.map { "e.\(name($0.entityColumn)) IS NOT NULL" }.joined(separator: " AND ")
        return """
              SELECT place, found FROM (
                SELECT place, side, last_value(found) IGNORE NULLS OVER (
                    PARTITION BY \(keys) ORDER BY moment, side ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS found
                FROM (
                  SELECT \(historyKeys), h.\(name(join.asOf)) AS moment, 0 AS side, CAST(NULL AS BIGINT) AS place,
                         named_struct(\(row)) AS found
                  FROM \(history) AS h
                  UNION ALL
                  SELECT \(entityKeys), e.\(name(HistoryPlan.moment)) AS moment, 1 AS side, e.\(name(HistoryPlan.row)) AS place,
                         NULL AS found
                  FROM \(entities) AS e WHERE \(present)))
              WHERE side = 1
            """
    }

    /// A name in Spark's quotes.
    private func name(_ text: String) -> String { "`\(text.replacing("`", with: "``"))`" }
}
