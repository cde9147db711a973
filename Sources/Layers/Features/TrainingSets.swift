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
    /// A row of a view is used when its event time is not after the row's time and not older than the view's ttl (both
    /// ends closed); of several the newest.
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
        let catalogue = catalogue
        let service = try catalogue.service(name)
        let context = "the population of service \(name)"
        let time = SQLText.identifier(population.time)
        let id = SQLText.identifier(population.id)
        let label = SQLText.identifier(population.label)
        let labelTime = SQLText.identifier(population.labelTime)
        let known = knownBy.map { "\(labelTime) <= \(SQLText.timestamp($0))" } ?? "true"
        let kept = labelledOnly ? "AND \(label) IS NOT NULL AND \(known)" : ""
        var joins = ""
        var inputs = service.request.map(\.name).map {
            "CAST(p.\(SQLText.identifier($0)) AS DOUBLE) AS \(SQLText.identifier($0))"
        }
        for (index, selection) in service.selections.enumerated() where !selection.isTransform {
            let view = try catalogue.view(selection.source)
            let history = try await history(of: view.name)
            let file = "read_parquet(\(SQLText.literal(try await objects.localPath(history.digest))))"
            let eventTime = SQLText.identifier(view.eventTime)
            let alias = "v\(index)"
            let keys = view.joinKeys.map {
                "p.\(SQLText.identifier(selection.callerKey($0))) = \(alias).\(SQLText.identifier($0))"
            }
            joins += """

                ASOF LEFT JOIN \(file) AS \(alias)
                  ON \((keys + ["p.\(time) >= \(alias).\(eventTime)"]).joined(separator: " AND "))
                """
            for feature in selection.features {
                let name = SQLText.identifier(feature)
                let fresh =
                    view.ttlSeconds.map { "\(alias).\(eventTime) >= p.\(time) - INTERVAL \($0) SECOND" } ?? "true"
                inputs.append(
                    "CASE WHEN \(fresh) THEN \(alias).\(name) END AS "
                        + SQLText.identifier("\(selection.name)__\(feature)"))
            }
        }
        let table = try await engine.query(
            """
            WITH p AS (SELECT * FROM \(try await file(of: population)) WHERE \(time) >= \(SQLText.timestamp(from))
                       AND \(time) < \(SQLText.timestamp(to)) \(kept))
            SELECT p.\(id) AS __id, p.\(time) AS __time,
                   CASE WHEN \(known) THEN CAST(p.\(label) AS DOUBLE) END AS __label,
                   \(inputs.joined(separator: ",\n       "))
            FROM p\(joins)
            ORDER BY __time, __id
            """, context: context)
        let ids = try table.strings("__id").compactMap { $0 }
        guard ids.count == table.rowCount, Set(ids).count == ids.count else {
            throw FeaturesFailure.definition(
                "\(context) gives rows with no id or with the same '\(population.id)'",
                remedy: "Make '\(population.id)' unique and never null.")
        }
        return TrainingSet(
            ids: ids, times: try table.timestamps("__time").map { $0 ?? .distantPast },
            labels: try table.doubles("__label"),
            inputNames: service.inputNames, columns: try service.inputNames.map { try table.doubles($0) })
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
