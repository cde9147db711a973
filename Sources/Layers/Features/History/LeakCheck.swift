import Basics
import Columnar
import Datasets

/// A value in a training set that could not have been known at its row's time.
public struct LeakFinding: Sendable, Codable, Equatable {
    public var view: String
    public var feature: String
    public var id: String
    public var time: Timestamp
    /// The value joined from the full history.
    public var used: Double?
    /// The value computed from only what was knowable at the time.
    public var knowable: Double?

    public var explanation: String {
        func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "null" }
        return "at \(time), for \(id), \(feature) is \(text(used)) where what was knowable gives \(text(knowable))"
    }
}

/// What a leak check looked at.
public struct LeakReport: Sendable, Codable, Equatable {
    public var rows: Int
    public var values: Int
    public var findings: [LeakFinding]
}

extension FeatureStore {
    /// Proves on a sample that no value of a training set was knowable later than its row's time: every view is computed
    /// again from sources cut to what was available at the sampled moment, and must give the same values.
    ///
    /// - Parameters:
    ///   - sample: how many rows to check, spread over the range by `random`.
    /// - Throws: what the join throws; findings are returned, not thrown.
    public func leakCheck(
        _ population: Population, service name: String, from: Timestamp, to: Timestamp, sample: Int,
        random: any RandomSource
    ) async throws -> LeakReport {
        let catalogue = catalogue
        let service = try catalogue.service(name)
        let set = try await trainingSet(population, service: name, from: from, to: to, knownBy: nil)
        let rows = try await populationRows(population, from: from, to: to)
        let ids = try rows.strings(population.id)
        var position: [String: Int] = [:]
        for (index, id) in ids.enumerated() { if let id { position[id] = index } }
        try await bind()
        var report = LeakReport(rows: 0, values: 0, findings: [])
        guard set.rowCount > 0 else { return report }
        for _ in 0..<max(0, sample) {
            let index = Int(random.next() % UInt64(set.rowCount))
            guard let row = position[set.ids[index]] else { continue }
            report.rows += 1
            var column = service.request.count
            for selection in service.selections {
                guard !selection.isTransform else {
                    column += selection.features.count
                    continue
                }
                let view = try catalogue.view(selection.source)
                let knowable = try await knowableValues(
                    of: view, for: selection, row: row, in: rows, at: set.times[index])
                for feature in selection.features {
                    let used = set.columns[column][index]
                    let value = knowable[feature] ?? .nan
                    report.values += 1
                    if !(used == value || (used.isNaN && value.isNaN)) {
                        report.findings.append(
                            LeakFinding(
                                view: view.name, feature: feature, id: set.ids[index], time: set.times[index],
                                used: used.isNaN ? nil : used, knowable: value.isNaN ? nil : value))
                    }
                    column += 1
                }
            }
        }
        return report
    }

    private func knowableValues(
        of view: FeatureView, for selection: FeatureService.Selection, row: Int, in rows: Table, at moment: Timestamp
    ) async throws -> [String: Double] {
        let eventTime = SQLText.identifier(view.eventTime)
        let at = SQLText.timestamp(moment)
        let created = view.createdTime.map(SQLText.identifier)
        var conditions = ["\(eventTime) <= \(at)"]
        if view.delays, let created { conditions.append("\(created) <= \(at)") }
        let order = ([eventTime] + (created.map { [$0] } ?? [])).map { "\($0) DESC" }.joined(separator: ", ")
        if let ttl = view.ttlSeconds { conditions.append("\(eventTime) >= \(at) - INTERVAL \(ttl) SECOND") }
        var keys: [String] = []
        for key in view.joinKeys {
            guard let literal = try rows.literal(selection.callerKey(key), row: row) else { return [:] }
            keys.append("\(SQLText.identifier(key)) = \(literal)")
        }
        conditions += keys
        func newest(of query: String) async throws -> Table {
            try await engine.query(
                "SELECT * FROM (\(query)) WHERE \(conditions.joined(separator: " AND ")) ORDER BY \(order) LIMIT 1",
                context: "features/\(view.name)")
        }
        let table: Table
        if case .windows = view.content, let name = view.sources.first {
            let source = try catalogue.eventSource(name)
            let cut = keys + ["\(SQLText.identifier(source.availableAt)) <= \(at)"]
            table = try await windows(of: view, over: source, where: cut.joined(separator: " AND "), newest)
        } else {
            table = try await newest(of: query(of: view, knowableAt: at))
        }
        var values: [String: Double] = [:]
        for feature in view.featureNames { values[feature] = try table.doubles(feature).first }
        return values
    }

    /// Computes a view of windows over some events of its source.
    private func windows(
        of view: FeatureView, over source: EventsDefinition, where condition: String,
        _ use: (String) async throws -> Table
    ) async throws -> Table {
        let name = "leak_events_\(scratchNumber())"
        let context = "features/\(view.name)"
        try await engine.execute(
            "CREATE TABLE \(name) AS SELECT * FROM \(SQLText.identifier(source.name)) WHERE \(condition)",
            context: context)
        do {
            let values = try await WindowHistory(features: self, view: view, source: source, table: name).compute(use)
            try await engine.execute("DROP TABLE \(name)", context: context)
            return values.content
        } catch {
            _ = try? await engine.execute("DROP TABLE \(name)", context: context)
            throw error
        }
    }
}
