import Basics
import Columnar
import Datasets

/// Plans in DuckDB's SQL: one ASOF JOIN per view, all in one query, each over a history that is cut to what the entity rows
/// can use before it is ordered.
public struct DuckDBHistory: HistoryDialect {
    public init() {}

    public func query(_ plan: HistoryPlan, entities: String, histories: [String], keepsRow: Bool) -> String {
        let row = "e.\(SQLText.identifier(HistoryPlan.row))"
        let moment = "e.\(SQLText.identifier(HistoryPlan.moment))"
        var columns = plan.columns.map { "e.\(SQLText.identifier($0))" }
        if keepsRow { columns.insert(row, at: 0) }
        var joins = ""
        for (index, (join, history)) in zip(plan.joins, histories).enumerated() {
            let alias = "v\(index)"
            joins += """

                ASOF LEFT JOIN \(usable(join, of: history, plan)) AS \(alias)
                  ON \(Self.matches(join, alias)) AND \(moment) >= \(alias).\(SQLText.identifier(join.asOf))
                """
            let eventTime = "\(alias).\(SQLText.identifier(join.eventTime))"
            for output in join.outputs {
                let value = "\(alias).\(SQLText.identifier(output.column))"
                let fresh = join.boundedTTL.map {
                    "CASE WHEN \(eventTime) >= \(moment) - to_seconds(\($0)) THEN \(value) END"
                }
                columns.append("\(fresh ?? value) AS \(SQLText.identifier(output.name))")
            }
        }
        return """
            WITH entity_rows AS \(plan.joins.contains(where: \.isSparse) ? "MATERIALIZED " : "")(SELECT * FROM \(entities))
            SELECT \(columns.joined(separator: ",\n       "))
            FROM entity_rows AS e\(joins)\(keepsRow ? "" : "\nORDER BY \(row)")
            """
    }

    /// That an entity row `e` and a row of a history are of one entity.
    static func matches(_ join: HistoryPlan.Join, _ history: String) -> String {
        let conditions = join.keys.map { key in
            let name = "e.\(SQLText.identifier(key.entityColumn))"
            let own = key.isWholeNumber ? "CAST(\(name) AS BIGINT)" : name
            return "\(own) = \(history).\(SQLText.identifier(key.column))"
        }
        return conditions.joined(separator: " AND ")
    }

    /// The part of a history that can be used: event times from the first moment less the ttl on, knowable by the last, and
    /// of the entities asked for. What is left out would be refused by the join or the ttl, and need not be ordered.
    private func usable(_ join: HistoryPlan.Join, of history: String, _ plan: HistoryPlan) -> String {
        var names: [String] = []
        for name in join.keys.map(\.column) + [join.asOf, join.eventTime] + join.outputs.map(\.column)
        where !names.contains(name) { names.append(name) }
        let asOf = "h.\(SQLText.identifier(join.asOf))"
        let eventTime = "h.\(SQLText.identifier(join.eventTime))"
        var conditions: [String] = []
        if let bounds = plan.bounds {
            conditions.append("\(asOf) <= \(SQLText.timestamp(bounds.upperBound))")
            if let ttl = join.boundedTTL {
                conditions.append("\(eventTime) >= \(SQLText.timestamp(bounds.lowerBound)) - to_seconds(\(ttl))")
            }
        }
        let among = join.isSparse ? " SEMI JOIN entity_rows AS e ON \(Self.matches(join, "h"))" : ""
        let kept = conditions.isEmpty ? "" : " WHERE \(conditions.joined(separator: " AND "))"
        let list = names.map { "h.\(SQLText.identifier($0))" }.joined(separator: ", ")
        return "(SELECT \(list) FROM \(history) AS h\(among)\(kept))"
    }
}
