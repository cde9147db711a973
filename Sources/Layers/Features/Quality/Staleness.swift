import Basics
import Datasets

/// A view whose sources have no event as new as its freshness asks for.
public struct StaleView: Sendable, Codable, Equatable {
    public var view: String
    /// The newest event of its sources.
    public var newest: Timestamp
    /// From then to the moment asked about.
    public var ageSeconds: Double
    /// How old it may be.
    public var withinSeconds: Double

    public var warning: String {
        "the newest source data of the view '\(view)' is of \(newest), \(Self.words(ageSeconds)) old, and may be "
            + "\(Self.words(withinSeconds)) old"
    }

    private static func words(_ seconds: Double) -> String {
        let (unit, length) =
            seconds >= 172_800
            ? ("days", 86_400.0) : seconds >= 7200 ? ("h", 3600) : seconds >= 120 ? ("min", 60) : ("s", 1)
        let tenths = (seconds / length * 10).rounded() / 10
        return "\(tenths == tenths.rounded() ? "\(Int64(clamping: tenths))" : "\(tenths)") \(unit)"
    }
}

extension Int64 {
    fileprivate init(clamping value: Double) { self = Int64(exactly: value.rounded()) ?? (value < 0 ? .min : .max) }
}

extension FeatureStore {
    /// The views of a service whose source data is older at a moment than their freshness allows, in order of name.
    ///
    /// Histories that are not there yet are computed.
    /// - Throws: ``FeaturesFailure/stale(_:)`` where such a view says `action: fail`.
    public func staleViews(ofService name: String, at moment: Timestamp) async throws -> [StaleView] {
        let catalogue = catalogue
        return try await staleViews(
            try catalogue.viewNames(ofService: name).sorted().map { try catalogue.view($0) }, at: moment)
    }

    func staleViews(_ views: [FeatureView], at moment: Timestamp) async throws -> [StaleView] {
        var stale: [StaleView] = []
        for view in views {
            guard let newest = try await profile(of: try await usableHistory(of: view.name))?.newest else { continue }
            let age = moment.seconds(since: newest)
            let allowed = Double(view.freshness.withinMilliseconds) / 1000 + Double(view.everySeconds ?? 0)
            guard age > allowed else { continue }
            let found = StaleView(view: view.name, newest: newest, ageSeconds: age, withinSeconds: allowed)
            if view.freshness.action == .fail { throw FeaturesFailure.stale(found) }
            stale.append(found)
        }
        return stale
    }

    /// Makes sure that every table which a service and a population are computed from has a dataset version, before
    /// anything is computed.
    ///
    /// - Throws: `DatasetsFailure.notIngested(table:)`, which names the first that has none.
    public func requireData(ofService name: String, _ population: Population) async throws {
        let catalogue = catalogue
        let latest = try await datasets.latest()
        var waiting = Array(TablesRead.names(in: population.sql))
        for view in try catalogue.viewNames(ofService: name) { waiting += try catalogue.view(view).sources }
        var seen: Set<String> = []
        while let name = waiting.popLast() {
            guard seen.insert(name).inserted, let events = catalogue.events[name] else { continue }
            waiting += catalogue.namesRead(by: events.name)
        }
        if let missing = seen.sorted().first(where: { catalogue.tables[$0] != nil && latest[$0] == nil }) {
            throw DatasetsFailure.notIngested(table: missing)
        }
    }
}
