import Basics
import Columnar
import Datasets
import ObjectStorage

/// Which rows to learn from: a query that gives ids, join keys, request features, the label, and three times.
public struct Population: Sendable, Codable, Equatable {
    public var sql: String
    /// Column with a unique text per row.
    public var id: String
    /// Column with the moment each prediction is for.
    public var time: String
    /// Column with 0, 1 or null.
    public var label: String
    /// Column with the moment the label became known.
    public var labelTime: String

    public init(sql: String, id: String, time: String, label: String, labelTime: String) {
        self.sql = sql
        self.id = id
        self.time = time
        self.label = label
        self.labelTime = labelTime
    }
}

/// Rows joined point in time: what the model sees.
public struct TrainingSet: Sendable {
    public var ids: [String]
    public var times: [Timestamp]
    /// NaN where there is none.
    public var labels: [Double]
    public var inputNames: [String]
    /// One column per input, NaN for null.
    public var columns: [[Double]]

    public var rowCount: Int { ids.count }

    /// The digest of all of it, in order.
    public func digest() -> Digest {
        var builder = Digest.Builder()
        for name in inputNames { builder.update(name + "\n") }
        for id in ids { builder.update(id + "\n") }
        times.withUnsafeBytes { builder.update($0) }
        labels.withUnsafeBytes { builder.update($0) }
        for column in columns { column.withUnsafeBytes { builder.update($0) } }
        return builder.finish()
    }

    /// The rows at the given indices.
    public func rows(_ indices: [Int]) -> TrainingSet {
        TrainingSet(
            ids: indices.map { ids[$0] }, times: indices.map { times[$0] }, labels: indices.map { labels[$0] },
            inputNames: inputNames, columns: columns.map { column in indices.map { column[$0] } })
    }
}

extension FeatureStore {
    /// Joins the features of a service to a population, each row as of its own time.
    ///
    /// ``HistoryPlan`` tells which row of a view is used.
    ///
    /// - Parameters:
    ///   - from: rows with a time not before this.
    ///   - to: rows with a time before this.
    ///   - knownBy: labels that became known after this are null; nil takes all.
    ///   - labelledOnly: leave out rows whose label is null.
    public func trainingSet(
        _ population: Population, service name: String, from: Timestamp, to: Timestamp, knownBy: Timestamp?,
        labelledOnly: Bool = false
    ) async throws -> TrainingSet {
        try await trainingSet(
            population, rows: nil, service: name, from: from, to: to, knownBy: knownBy, labelledOnly: labelledOnly)
    }

    /// - Parameter relation: SQL for a table with the population's columns to take in place of its rows.
    func trainingSet(
        _ population: Population, rows relation: String?, service name: String, from: Timestamp, to: Timestamp,
        knownBy: Timestamp?, labelledOnly: Bool = false
    ) async throws -> TrainingSet {
        let wanted = try catalogue.selection(of: HistoryRequest(.service(name)))
        let context = "the population of service \(name)"
        let time = SQLText.identifier(population.time)
        let label = SQLText.identifier(population.label)
        let labelTime = SQLText.identifier(population.labelTime)
        let known = knownBy.map { "\(labelTime) <= \(SQLText.timestamp($0))" } ?? "true"
        let kept = labelledOnly ? "AND \(label) IS NOT NULL AND \(known)" : ""
        let joins = try joins(of: wanted)
        let requests = wanted.request + wanted.computed.flatMap(\.transform.request)
        var columns = [
            "\(SQLText.identifier(population.id)) AS __id", "CAST(\(time) AS TIMESTAMP) AS \(HistoryPlan.moment)",
            "CASE WHEN \(known) THEN CAST(\(label) AS DOUBLE) END AS __label", "0 AS \(HistoryPlan.row)",
        ]
        columns += Set(joins.flatMap { $0.keys.map(\.entityColumn) }).sorted().map {
            "\(SQLText.identifier($0)) AS \(SQLText.identifier("__key_\($0)"))"
        }
        let typed = Set(wanted.computed.flatMap(\.transform.request).map(\.name))
        for (index, feature) in requests.enumerated()
        where requests.firstIndex(where: { $0.name == feature.name }) == index {
            let name = SQLText.identifier(feature.name)
            // A model takes numbers as they are; an expression takes them in the type declared.
            let type = typed.contains(feature.name) ? feature.type.sqlType : "DOUBLE"
            columns.append("CAST(\(name) AS \(type)) AS \(name)")
        }
        var plan = HistoryPlan(columns: ["__id", HistoryPlan.moment, "__label"], joins: [])
        for name in requests.map(\.name) where !plan.columns.contains(name) { plan.columns.append(name) }
        // The last moment before `to`, of a clock that ticks in microseconds.
        let last = Timestamp(microseconds: to.microseconds &- 1)
        if from <= last { plan.bounds = from...last }
        var histories: [String] = []
        for join in joins {
            histories.append(try await self.relation(of: try await usableHistory(of: join.view.name)))
            plan.joins.append(
                .init(
                    name: join.name,
                    keys: join.keys.map { .init(column: $0.column, entityColumn: "__key_\($0.entityColumn)") },
                    asOf: join.view.joinTime, eventTime: join.view.eventTime, ttlSeconds: join.view.ttlSeconds,
                    outputs: join.outputs))
        }
        let source: String
        if let relation { source = relation } else { source = try await file(of: population) }
        let rows = """
            (SELECT \(columns.joined(separator: ", ")) FROM \(source)
             WHERE \(time) >= \(SQLText.timestamp(from)) AND \(time) < \(SQLText.timestamp(to)) \(kept))
            """
        let query = DuckDBHistory().query(plan, entities: rows, histories: histories, keepsRow: true)
        let table = try await engine.query("SELECT * FROM (\(query)) ORDER BY __time, __id", context: context)
        let computed = try transforms(wanted).computed(table)
        let inputs = wanted.request.map(\.name) + wanted.features
        let ids = try table.strings("__id").compactMap { $0 }
        guard ids.count == table.rowCount, Set(ids).count == ids.count else {
            throw FeaturesFailure.definition(
                "\(context) gives rows with no id or with the same '\(population.id)'",
                remedy: "Make '\(population.id)' unique and never null.")
        }
        return TrainingSet(
            ids: ids, times: try table.timestamps("__time").map { $0 ?? .distantPast },
            labels: try table.doubles("__label"),
            inputNames: inputs,
            columns: try inputs.map { computed.has($0) ? try computed.doubles($0) : try table.doubles($0) })
    }

    /// The rows of a population as they are: join keys, request features, label and times.
    func populationRows(
        _ population: Population, from: Timestamp, to: Timestamp
    ) async throws -> Table {
        let time = SQLText.identifier(population.time)
        return try await engine.query(
            """
            SELECT * FROM \(try await file(of: population))
            WHERE \(time) >= \(SQLText.timestamp(from)) AND \(time) < \(SQLText.timestamp(to))
            ORDER BY \(time), \(SQLText.identifier(population.id))
            """, context: "the population")
    }
}
