import Basics
import Columnar

extension FeatureStore {
    /// Joins the service's features offline for logged vectors, each as of the moment it was read online, and compares.
    ///
    /// The join keys and request features are those of the population's row with the vector's id.
    ///
    /// - Parameter report: the findings so far, to which these are added.
    public func compare(
        _ vectors: [LoggedVector], _ population: Population, into report: inout SkewReport
    ) async throws {
        report.logged += vectors.count
        let usable = vectors.filter { $0.values.count == report.features.count }
        let empty = vectors.count { $0.values.isEmpty && !report.features.isEmpty }
        report.withoutFeatures += empty
        report.otherInputs += vectors.count - usable.count - empty
        guard let from = usable.map(\.time).min(), let last = usable.map(\.time).max() else { return }
        let table = "skew_\(scratchNumber())"
        let context = "the logged vectors"
        try await engine.store(
            try Table([
                ("__record", .strings(usable.indices.map { "\($0)" })), ("__id", .strings(usable.map(\.id))),
                ("__asked", .timestamps(usable.map(\.time))),
            ]), as: table)
        let set: TrainingSet
        do {
            let (id, moment) = (SQLText.identifier(population.id), SQLText.identifier(population.time))
            set = try await trainingSet(
                population,
                rows: """
                    (SELECT p.* REPLACE (l.__record AS \(id), l.__asked AS \(moment))
                     FROM \(try await file(of: population)) AS p
                     JOIN \(table) AS l ON CAST(p.\(id) AS VARCHAR) = l.__id)
                    """,
                service: report.service, from: from, to: Timestamp(microseconds: last.microseconds &+ 1), knownBy: nil)
        } catch {
            _ = try? await engine.execute("DROP TABLE \(table)", context: context)
            throw error
        }
        try await engine.execute("DROP TABLE \(table)", context: context)
        // The log is told in its own order.
        let rows = set.ids.enumerated().compactMap { row, id in Int(id).map { (record: $0, row: row) } }
        for (record, row) in rows.sorted(by: { $0.record < $1.record }) where usable.indices.contains(record) {
            report.compare(usable[record], with: set.columns.map { $0[row] })
        }
        report.notInPopulation += usable.count - rows.count
    }
}
