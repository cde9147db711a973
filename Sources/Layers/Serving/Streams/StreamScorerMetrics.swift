import Basics
import Streams
import Synchronization
import Telemetry

/// What Prometheus sees of a scorer.
final class StreamScorerMetrics: Sendable {
    /// A part of the way of a batch.
    enum Stage: String, CaseIterable {
        case decode, infer, encode, commit
    }

    let scored: Counter
    let rejected: Counter
    /// Events that had been answered before a restart.
    let skipped: Counter
    let failures: Counter
    let rows: Histogram
    /// From the moment an event was put into its topic to the one when its answer was.
    let latency: Histogram
    private let stages: [Stage: Histogram]
    private let registry: MetricsRegistry
    private let name: String

    init(_ name: String, in registry: MetricsRegistry) {
        self.registry = registry
        self.name = name
        let labels = ["scorer": name]
        func events(_ outcome: String) -> Counter {
            registry.counter(
                "modelworks_stream_scorer_events_total", help: "Events a scorer of a stream has finished, by outcome.",
                labels: labels.merging(["outcome": outcome]) { $1 })
        }
        scored = events("scored")
        rejected = events("rejected")
        skipped = events("skipped")
        failures = registry.counter(
            "modelworks_stream_scorer_failures_total", help: "Batches that were broken off and begun again.",
            labels: labels)
        rows = registry.histogram(
            "modelworks_stream_scorer_batch_rows", help: "Events of a batch.", labels: labels,
            bounds: (0...12).map { Double(1 << $0) })
        latency = registry.histogram(
            "modelworks_stream_scorer_latency_seconds",
            help: "Time from an event's own time to the moment its answer was in the output topic.", labels: labels)
        stages = Dictionary(
            uniqueKeysWithValues: Stage.allCases.map { stage in
                (
                    stage,
                    registry.histogram(
                        "modelworks_stream_scorer_stage_seconds", help: "Time of a batch in a stage.",
                        labels: labels.merging(["stage": stage.rawValue]) { $1 })
                )
            })
    }

    /// Counts the time since `began` for a stage.
    /// - Returns: now, where the next stage begins.
    func finish(_ stage: Stage, since began: UInt64) -> UInt64 {
        let now = SystemTime.monotonicNanoseconds
        stages[stage]?.observe(nanoseconds: now &- began)
        return now
    }

    func show(_ lag: StreamLag) {
        registry.gauge(
            "modelworks_stream_scorer_lag_records", help: "Events in a partition that are not scored yet.",
            labels: [
                "scorer": name, "topic": lag.partition.topic.text, "partition": String(lag.partition.partition),
            ]
        ).set(Double(lag.records))
    }
}

/// How far a scorer has come since it began.
public struct StreamScorerStatus: Sendable, Codable, Equatable {
    /// One partition that it has now.
    public struct Partition: Sendable, Codable, Equatable {
        public var partition: Int
        /// The next event.
        public var position: Int64
        /// Events that are not scored yet, as counted last.
        public var lag: Int64
    }

    public var scorer: String
    /// Nil before the first batch.
    public var model: String?
    public var version: String?
    public var scored: UInt64
    public var rejected: UInt64
    /// Events that had been answered before a restart.
    public var skipped: UInt64
    /// Batches that were broken off and begun again.
    public var failures: UInt64
    public var eventsPerSecond: Double
    /// Events of a batch, in the mean.
    public var batchRows: Double
    /// In seconds, from an event's own time to the moment its answer was in the output topic; nil before the first.
    public var latencyP50: Double?
    public var latencyP99: Double?
    public var partitions: [Partition]
}
