import Basics
import Telemetry

/// What both engines measure, resolved once.
struct StreamMetrics: Sendable {
    let published: Counter
    let consumed: Counter
    let failures: Counter
    let publishSeconds: Histogram
    let registry: MetricsRegistry
    let engine: String

    init(_ registry: MetricsRegistry, engine: String) {
        self.registry = registry
        self.engine = engine
        let labels = ["engine": engine]
        published = registry.counter(
            "modelworks_stream_published_total", help: "Records acknowledged by the stream store.", labels: labels)
        consumed = registry.counter(
            "modelworks_stream_consumed_total", help: "Records handed to consumers.", labels: labels)
        failures = registry.counter(
            "modelworks_stream_publish_failures_total", help: "Publish calls that failed.", labels: labels)
        publishSeconds = registry.histogram(
            "modelworks_stream_publish_seconds", help: "Time from publish to acknowledgement.", labels: labels)
    }

    /// Shows how far a group is behind.
    func show(_ lag: [StreamLag], group: String) {
        for item in lag {
            registry.gauge(
                "modelworks_stream_lag_records", help: "Records a consumer group is behind.",
                labels: [
                    "engine": engine, "group": group, "topic": item.partition.topic.text,
                    "partition": String(item.partition.partition),
                ]
            ).set(Double(item.records))
        }
    }

    /// Counts and times one publish call.
    func publishing<Result>(_ count: Int, _ body: () async throws -> Result) async throws -> Result {
        let started = SystemTime.monotonicNanoseconds
        do {
            let result = try await body()
            publishSeconds.observe(nanoseconds: SystemTime.monotonicNanoseconds &- started)
            published.increment(by: UInt64(max(0, count)))
            return result
        } catch {
            failures.increment()
            throw error
        }
    }
}
