import Basics
import Columnar
import Datasets

extension FeatureStore {
    /// Makes an event source a view of the engine.
    ///
    /// Where its SQL only picks rows and columns, the view reads them where they lie. What is joined, grouped or ordered, or
    /// would not be the same a second time, is computed once and kept in a table beneath the view.
    func bind(_ events: EventsDefinition) async throws {
        let name = SQLText.identifier(events.name)
        let context = "data/\(events.name)"
        let kept = SQLText.identifier("__rows_of_\(events.name)")
        if try await isReadInPlace(events.sql, context: context) {
            try await engine.execute(
                "CREATE OR REPLACE VIEW \(name) AS \(events.sql)\n; DROP TABLE IF EXISTS \(kept)", context: context)
        } else {
            try await engine.execute(
                "CREATE OR REPLACE TABLE \(kept) AS \(events.sql)\n; CREATE OR REPLACE VIEW \(name) AS SELECT * FROM \(kept)",
                context: context)
        }
        let kinds = try await engine.query(
            "SELECT column_name AS name, data_type AS kind FROM duckdb_columns() WHERE table_name = "
                + SQLText.literal(events.name), context: context)
        var types: [String: String] = [:]
        for (name, kind) in zip(try kinds.strings("name"), try kinds.strings("kind")) {
            if let name, let kind { types[name] = kind }
        }
        for column in [events.eventTime, events.availableAt] where types[column]?.hasPrefix("TIMESTAMP") != true {
            throw FeaturesFailure.badEvents(
                name: events.name,
                problem: "it has no TIMESTAMP column '\(column)' (\(types[column] ?? "no such column"))")
        }
        let eventTime = SQLText.identifier(events.eventTime)
        let availableAt = SQLText.identifier(events.availableAt)
        let early = try await engine.query(
            "SELECT count(*) AS n FROM \(name) WHERE \(availableAt) IS NULL OR \(availableAt) < \(eventTime)",
            context: context
        ).count("n")
        guard early == 0 else {
            throw FeaturesFailure.badEvents(
                name: events.name,
                problem:
                    "\(early) rows are said to be known before they happened (\(events.availableAt) is null or before "
                    + "\(events.eventTime))")
        }
    }

    /// Whether a query gives its rows one by one out of files or tables, and the same ones each time.
    private func isReadInPlace(_ sql: String, context: String) async throws -> Bool {
        struct Operator: Decodable {
            var name: String
            var children: [Operator]?

            var all: [String] { [name] + (children ?? []).flatMap(\.all) }
        }
        let words = Set(sql.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init))
        guard words.isDisjoint(with: Self.changing) else { return false }
        let plan = try await engine.query("EXPLAIN (FORMAT json) \(sql)", context: context)
        guard let text = try plan.strings("explain_value").first ?? nil,
            let roots = try? JSON.decode([Operator].self, from: Array(text.utf8))
        else { return false }
        return Set(roots.flatMap(\.all)).isSubset(of: ["PROJECTION", "FILTER", "READ_PARQUET", "SEQ_SCAN"])
    }

    /// Words whose value may be another a second time.
    private static let changing: Set<String> = [
        "random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "nextval", "currval", "now", "today", "current_date",
        "current_timestamp", "current_time", "localtime", "localtimestamp", "get_current_timestamp", "get_current_time",
        "transaction_timestamp", "current_localtimestamp", "current_localtime",
    ]
}
