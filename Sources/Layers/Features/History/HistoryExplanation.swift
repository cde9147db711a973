import Basics
import Columnar
import Foundation
import ObjectStorage

/// Why one entity row gets the values that it gets.
public struct HistoryExplanation: Sendable, Codable, Equatable {
    /// The row, counted from 1.
    public var row: Int64
    /// What it asks for, in UTC.
    public var time: Timestamp
    public var views: [View]

    /// One view under one name.
    public struct View: Sendable, Codable, Equatable {
        public var name: String
        public var view: String
        /// Join keys by the view's names, as texts; null where the row has none.
        public var keys: [String: String?]
        /// The row that gave the values; nil where none did.
        public var used: Source?
        /// Why there is none, or that there is one.
        public var reason: String
        /// The next rows that were not used though they are greater, with the reason; the nearest first. Where none was
        /// used, also the last one that was too old.
        public var passedOver: [Source]
    }

    /// A row of a view's query.
    public struct Source: Sendable, Codable, Equatable {
        public var eventTime: Timestamp
        public var created: Timestamp?
        public var knowable: Timestamp
        public var values: [String: String?]
        public var reason: String
    }
}

extension FeatureStore {
    /// - Parameters:
    ///   - row: the entity row, counted from 1.
    ///   - shown: how many rows that were passed over to tell of, for each view.
    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` where there is no such row, or for what can not be asked.
    public func explainHistory(
        _ request: HistoryRequest, of entities: EntityFile, row: Int64, shown: Int = 3
    ) async throws -> HistoryExplanation {
        let staging = scratchPath("entities.parquet")
        defer { try? FileManager.default.removeItem(atPath: staging) }
        let wanted = try catalogue.selection(of: request)
        let prepared = try await prepare(wanted, request, entities, staging: staging)
        guard row >= 1, row <= prepared.rows.count else {
            throw FeaturesFailure.request(
                "there is no row \(row) among the \(prepared.rows.count) entity rows",
                remedy: "Rows are counted from 1.")
        }
        let asked = "(SELECT * FROM \(prepared.rows.relation) WHERE \(HistoryPlan.row) = \(row - 1))"
        let moments = try await engine.query("SELECT \(HistoryPlan.moment) FROM \(asked)", context: "the entity row")
        guard let time = try moments.timestamps(HistoryPlan.moment).first.flatMap({ $0 }) else {
            throw FeaturesFailure.request("row \(row) has no time", remedy: "Give each row its time.")
        }
        try await bind()
        var explanation = HistoryExplanation(row: row, time: time, views: [])
        for (join, history) in zip(prepared.plan.joins, prepared.paths) {
            guard var view = try joins(of: wanted).first(where: { $0.name == join.name })?.view else { continue }
            if let lateData = request.lateData, view.createdTime != nil { view.lateData = lateData }
            explanation.views.append(
                try await explain(view, join, asked: asked, history: history, at: time, shown: shown))
        }
        return explanation
    }

    private func explain(
        _ view: FeatureView, _ join: HistoryPlan.Join, asked: String, history: String, at time: Timestamp, shown: Int
    ) async throws -> HistoryExplanation.View {
        let context = "features/\(view.name)"
        let keyTexts = join.keys.map {
            "CAST(\(SQLText.identifier($0.entityColumn)) AS VARCHAR) AS \(SQLText.identifier($0.column))"
        }
        let keyRow = try await engine.query(
            "SELECT \(keyTexts.joined(separator: ", ")) FROM \(asked)", context: context)
        var keys: [String: String?] = [:]
        for key in join.keys { keys[key.column] = try keyRow.strings(key.column).first ?? nil }
        let name = join.name.hasPrefix(HistoryTransforms.prefix) ? view.name : join.name
        var told = HistoryExplanation.View(name: name, view: view.name, keys: keys, reason: "", passedOver: [])
        if let missing = keys.filter({ $0.value == nil }).keys.min() {
            told.reason = "the join key '\(missing)' is null"
            return told
        }
        // What its query gives; a view that is no query has its history.
        let rows =
            view.sql.isEmpty
            ? "(SELECT *, row_number() OVER () AS __order FROM \(Self.reading(history)))"
            : "(SELECT *, row_number() OVER () AS __order FROM (\(try query(of: view))))"
        let search = ExplanationSearch(view: view, join: join, rows: rows, asked: asked, at: time)
        let found = try await engine.query(search.used, context: context)
        let used = try search.sources(found).first
        told.used = used
        told.passedOver = try search.sources(
            try await engine.query(search.later(than: used != nil, shown), context: context))
        if used != nil {
            told.reason = "the greatest row that was knowable and not older than the ttl"
        } else if told.passedOver.isEmpty {
            told.reason = "no row for the key"
        } else {
            told.reason = "no row was knowable and not older than the ttl"
        }
        return told
    }
}

/// The queries behind an explanation of one row and view.
private struct ExplanationSearch {
    let view: FeatureView
    let join: HistoryPlan.Join
    let rows: String
    let asked: String
    let at: Timestamp

    private var eventTime: String { "h.\(SQLText.identifier(view.eventTime))" }
    private var created: String? { view.createdTime.map { "h.\(SQLText.identifier($0))" } }
    private var knowable: String {
        created.map { view.delays ? "greatest(\(eventTime), \($0))" : eventTime } ?? eventTime
    }
    private var rank: [String] { [eventTime] + (created.map { [$0] } ?? []) + ["h.__order"] }

    private var selected: String {
        let values = join.outputs.enumerated().map {
            "CAST(h.\(SQLText.identifier($1.column)) AS VARCHAR) AS v\($0)"
        }
        return """
            SELECT \(eventTime) AS __event, \(created.map { "\($0)" } ?? "CAST(NULL AS TIMESTAMP)") AS __created,
                   \(knowable) AS __known, \(values.joined(separator: ", "))
            FROM \(rows) AS h JOIN \(asked) AS a ON \(keyed)
            """
    }

    private var moment: String { "a.\(HistoryPlan.moment)" }

    private var isUsable: String {
        let fresh = join.boundedTTL.map { " AND \(eventTime) >= \(moment) - to_seconds(\($0))" } ?? ""
        return "\(knowable) <= \(moment)\(fresh)"
    }

    /// The row that gives the values.
    var used: String {
        "\(selected) WHERE \(isUsable) ORDER BY \(rank.map { "\($0) DESC" }.joined(separator: ", ")) LIMIT 1"
    }

    /// The rows after it, nearest first; where there is none, the newest that is too old and then those after the moment.
    func later(than isUsed: Bool, _ count: Int) -> String {
        let order = rank.joined(separator: ", ")
        if isUsed {
            let best = "SELECT row(\(order)) FROM \(rows) AS h JOIN \(asked) AS a ON \(keyed) WHERE \(isUsable)"
            let newest = rank.map { "\($0) DESC" }.joined(separator: ", ")
            return """
                \(selected) WHERE row(\(order)) > (\(best) ORDER BY \(newest) LIMIT 1)
                ORDER BY \(order) LIMIT \(max(0, count))
                """
        }
        // Too old ones last come first: those before the moment by how near they are.
        return """
            \(selected) ORDER BY \(knowable) > \(moment), CASE WHEN \(knowable) <= \(moment) THEN \(eventTime) END DESC, \(order)
            LIMIT \(max(0, count))
            """
    }

    private var keyed: String {
        join.keys.map { key in
            let column = "a.\(SQLText.identifier(key.entityColumn))"
            return "h.\(SQLText.identifier(key.column)) = \(key.isWholeNumber ? "CAST(\(column) AS BIGINT)" : column)"
        }.joined(separator: " AND ")
    }

    func sources(_ table: Table) throws -> [HistoryExplanation.Source] {
        let events = try table.timestamps("__event")
        let created = try table.timestamps("__created")
        let known = try table.timestamps("__known")
        let values = try join.outputs.indices.map { try table.strings("v\($0)") }
        return (0..<table.rowCount).compactMap { row in
            guard let event = events[row], let knowable = known[row] else { return nil }
            var texts: [String: String?] = [:]
            for (index, output) in join.outputs.enumerated() { texts[output.column] = values[index][row] }
            return .init(
                eventTime: event, created: created[row], knowable: knowable, values: texts,
                reason: reason(event, knowable))
        }
    }

    private func reason(_ event: Timestamp, _ knowable: Timestamp) -> String {
        if event > at { return "its event time is after the moment" }
        if knowable > at { return "it was not knowable until \(knowable)" }
        guard let ttl = join.boundedTTL else { return "used" }
        let age = at.microseconds &- event.microseconds
        let limit = ttl &* 1_000_000
        guard age > limit else { return "used" }
        let over = age &- limit
        let seconds = over % 1_000_000 == 0 ? "\(over / 1_000_000)" : "\(Double(over) / 1_000_000)"
        return "it is older than the ttl by \(seconds) s"
    }
}
