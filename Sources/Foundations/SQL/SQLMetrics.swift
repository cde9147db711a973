import Telemetry

/// What a database counts, labelled with its engine. Without a registry nothing is shown.
struct SQLMetrics: Sendable {
    /// Groups run again after a conflict.
    let retries: Counter
    /// Connections made anew after one was lost.
    let reconnects: Counter
    private let writes: Counter
    private let groups: Histogram
    private let commitSeconds: Histogram
    private let reads: Counter
    private let readWait: Histogram

    init(_ registry: MetricsRegistry?, engine: String) {
        let registry = registry ?? MetricsRegistry()
        let labels = ["engine": engine]
        writes = registry.counter("modelworks_sql_writes_total", help: "Changes asked of a database", labels: labels)
        groups = registry.histogram(
            "modelworks_sql_group_size", help: "Changes that shared one commit", labels: labels,
            bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
        commitSeconds = registry.histogram(
            "modelworks_sql_commit_seconds", help: "Time from the start of a group to its commit", labels: labels)
        reads = registry.counter("modelworks_sql_reads_total", help: "Reads of a database", labels: labels)
        readWait = registry.histogram(
            "modelworks_sql_pool_wait_seconds", help: "Time a read waited for a connection", labels: labels)
        retries = registry.counter(
            "modelworks_sql_retries_total", help: "Work run again after a conflict", labels: labels)
        reconnects = registry.counter(
            "modelworks_sql_reconnects_total", help: "Connections made anew after one was lost", labels: labels)
    }

    /// A group of changes has its outcome.
    func committed(_ count: Int, nanoseconds: UInt64) {
        writes.increment(by: UInt64(clamping: count))
        groups.observe(Double(count))
        commitSeconds.observe(nanoseconds: nanoseconds)
    }

    /// A read got its connection.
    func readStarted(afterNanoseconds waited: UInt64) {
        reads.increment()
        readWait.observe(nanoseconds: waited)
    }
}
