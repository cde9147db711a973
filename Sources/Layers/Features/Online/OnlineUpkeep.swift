import Basics
import Journal
import KeyValue
import SQL
import Telemetry

/// What the online store needs now and then: its values' age told, breaches of freshness told once each, and rows removed
/// that are long past their ttl.
actor OnlineUpkeep {
    private let features: FeatureStore
    private let metrics: MetricsRegistry?
    private let logger: Logger
    private var stale: Set<String> = []
    private var measured: Timestamp?
    private var swept: Timestamp?
    /// How often freshness is measured, and rows are removed, by the factory's clock.
    private static let measureSeconds: Double = 1
    private static let sweepSeconds: Double = 86_400
    /// How much longer than its ttl a row is kept: reads as of a moment a little ago still find it.
    private static let marginSeconds: Int64 = 3600

    init(features: FeatureStore, metrics: MetricsRegistry?, logger: Logger) {
        self.features = features
        self.metrics = metrics
        self.logger = logger
    }

    func run(at moment: Timestamp) async throws {
        if measured.map({ abs(moment.seconds(since: $0)) >= Self.measureSeconds }) ?? true {
            measured = moment
            try await measure(at: moment)
        }
        if let swept, moment >= swept, moment.seconds(since: swept) < Self.sweepSeconds { return }
        let isFirst = swept == nil
        swept = moment
        // The first turn only starts the clock: a process that begins has other things to do.
        if !isFirst { try await features.sweepOnline(at: moment, marginSeconds: Self.marginSeconds) }
    }

    private func measure(at moment: Timestamp) async throws {
        for found in try await features.freshness(at: moment) {
            if let age = found.ageSeconds {
                metrics?.gauge(
                    "modelworks_feature_freshness_seconds",
                    help: "From the newest event time of a view in the online store to now.",
                    labels: ["view": found.view]
                ).set(age)
            }
            guard found.isStale else {
                stale.remove(found.view)
                continue
            }
            guard stale.insert(found.view).inserted else { continue }
            logger.warning(
                "features are stale",
                [
                    "view": .string(found.view), "newest": .string(found.newest?.description ?? ""),
                    "within_seconds": .number(found.withinSeconds),
                ])
            try await tell(found, at: moment)
        }
    }

    private func tell(_ found: OnlineFreshness, at moment: Timestamp) async throws {
        let draft = JournalDraft(
            principal: "works:features", type: "features.stale", subject: "view/\(found.view)",
            body: [
                "newest": .string(found.newest?.description ?? ""), "age_seconds": .number(found.ageSeconds ?? 0),
                "within_seconds": .number(found.withinSeconds),
            ])
        _ = try await features.database.write { try Journal.append(draft, in: $0, at: moment) }
    }
}

extension FeatureStore {
    /// Removes rows that were past their ttl by a margin at a moment.
    /// - Returns: how many.
    @discardableResult
    public func sweepOnline(at moment: Timestamp, marginSeconds: Int64) async throws -> Int {
        let catalogue = catalogue
        var removed = 0
        for view in catalogue.views.values where view.isOnline {
            guard let ttl = view.ttlSeconds else { continue }
            let (kept, overflow) = ttl.addingReportingOverflow(marginSeconds)
            guard !overflow, kept >= 0 else { continue }
            let oldest = moment.advanced(bySeconds: -kept)
            removed += try await online.sweep(
                onlineTable, prefix: OnlineKey.prefix(try catalogue.digest(ofView: view.name)),
                olderThan: KeyValueStamp(oldest.microseconds, .min))
        }
        return removed
    }
}
