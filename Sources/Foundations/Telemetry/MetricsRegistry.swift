import Synchronization

/// All metrics of one process. Resolve a handle once with `counter`, `gauge` or `histogram`; the same name and labels
/// give the same handle. Names that Prometheus does not allow are mended with underscores.
///
/// A family keeps at most `seriesLimit` label sets; what comes after is counted under labels that all read `other`, so
/// that a hostile client can not fill the memory by inventing label values. A name used again as another kind gives a
/// handle that works but is not shown, and the name is listed in `conflicts`.
public final class MetricsRegistry: Sendable {
    /// The kinds of Prometheus' text format that Modelworks uses.
    enum Kind: String { case counter, gauge, histogram }

    enum Instrument {
        case counter(Counter)
        case gauge(Gauge)
        case reading(@Sendable () -> Double)
        case histogram(Histogram)
        case durations(DurationHistogram)
    }

    struct Family {
        let kind: Kind
        let help: String
        var series: [[MetricLabel]: Instrument] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var conflicts: Set<String> = []
    }

    private let state = Mutex(State())
    private let seriesLimit: Int

    /// - Parameter seriesLimit: how many label sets a family may have.
    public init(seriesLimit: Int = 2000) { self.seriesLimit = seriesLimit }

    /// A number that only grows; its name should end with `_total`.
    public func counter(_ name: String, help: String, labels: [String: String] = [:]) -> Counter {
        let found = instrument(name, .counter, help, labels) { .counter(Counter()) }
        guard case .counter(let counter) = found else { return Counter() }
        return counter
    }

    /// A number that goes up and down.
    public func gauge(_ name: String, help: String, labels: [String: String] = [:]) -> Gauge {
        let found = instrument(name, .gauge, help, labels) { .gauge(Gauge()) }
        guard case .gauge(let gauge) = found else { return Gauge() }
        return gauge
    }

    /// A gauge that is read when somebody looks; a later one with the same name and labels takes its place.
    public func reading(
        _ name: String, help: String, labels: [String: String] = [:], _ read: @escaping @Sendable () -> Double
    ) {
        _ = instrument(name, .gauge, help, labels, replace: true) { .reading(read) }
    }

    /// A distribution.
    /// - Parameter bounds: upper bounds in the unit observed; seconds from 0.1 ms to 30 s where nothing else is said.
    public func histogram(
        _ name: String, help: String, labels: [String: String] = [:], bounds: [Double] = Histogram.durationBounds
    ) -> Histogram {
        let found = instrument(name, .histogram, help, labels) { .histogram(Histogram(bounds: bounds)) }
        guard case .histogram(let histogram) = found else { return Histogram(bounds: bounds) }
        return histogram
    }

    /// A distribution of durations of a hot path, shown in seconds.
    public func durations(_ name: String, help: String, labels: [String: String] = [:]) -> DurationHistogram {
        let found = instrument(name, .histogram, help, labels) { .durations(DurationHistogram()) }
        guard case .durations(let durations) = found else { return DurationHistogram() }
        return durations
    }

    /// Names that were asked for as two kinds.
    public var conflicts: [String] { state.withLock { $0.conflicts.sorted() } }

    /// Everything in the text format 0.0.4 of Prometheus; its content type is `text/plain; version=0.0.4`.
    public func prometheusText() -> String {
        // Readings may take locks of their own, so they are taken outside of ours.
        let families = state.withLock { $0.families }
        var text = PrometheusText()
        for (name, family) in families.sorted(by: { $0.key < $1.key }) { text.add(name, family) }
        return text.text
    }

    private func instrument(
        _ rawName: String, _ kind: Kind, _ help: String, _ labels: [String: String], replace: Bool = false,
        make: () -> Instrument
    ) -> Instrument {
        let name = PrometheusText.name(rawName, colons: true)
        var key = MetricLabel.sorted(labels)
        return state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind, help: help)
            guard family.kind == kind else {
                state.conflicts.insert(name)
                return make()
            }
            if family.series[key] == nil, family.series.count >= seriesLimit {
                key = key.map { MetricLabel(name: $0.name, value: "other") }
            }
            if let known = family.series[key], !replace { return known }
            let made = make()
            family.series[key] = made
            state.families[name] = family
            return made
        }
    }
}

/// One label of a series, its name already fit for Prometheus.
struct MetricLabel: Hashable, Comparable {
    let name: String
    let value: String

    static func < (left: MetricLabel, right: MetricLabel) -> Bool {
        (left.name, left.value) < (right.name, right.value)
    }

    static func sorted(_ labels: [String: String]) -> [MetricLabel] {
        labels.map { MetricLabel(name: PrometheusText.name($0.key, colons: false), value: $0.value) }.sorted()
    }
}
