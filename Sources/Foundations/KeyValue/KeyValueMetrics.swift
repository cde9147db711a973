import Basics
import Telemetry

/// What one store counts, by engine.
struct KeyValueMetrics: Sendable {
    /// Keys looked up.
    let reads: Counter
    /// Changes acknowledged.
    let writes: Counter
    /// Rows that `putNewer` put, and that it left out as older.
    let rowsPut: Counter
    let rowsSkipped: Counter
    /// Times a thread waited for a server.
    let roundTrips: Counter
    /// Commands a cluster sent elsewhere.
    let redirects: Counter
    /// Connections made in place of lost ones.
    let reconnects: Counter
    let readSeconds: Histogram
    let writeSeconds: Histogram

    /// - Parameter registry: nil counts where nobody looks.
    init(_ registry: MetricsRegistry?, engine: String) {
        let registry = registry ?? MetricsRegistry()
        let labels = ["engine": engine]
        reads = registry.counter(
            "modelworks_keyvalue_reads_total", help: "Keys looked up in the key-value store.", labels: labels)
        writes = registry.counter(
            "modelworks_keyvalue_writes_total", help: "Changes to the key-value store that were acknowledged.",
            labels: labels)
        rowsPut = registry.counter(
            "modelworks_keyvalue_rows_put_total", help: "Rows put because what was stored was not newer.",
            labels: labels)
        rowsSkipped = registry.counter(
            "modelworks_keyvalue_rows_skipped_total", help: "Rows not put because what is stored is newer.",
            labels: labels)
        roundTrips = registry.counter(
            "modelworks_keyvalue_round_trips_total", help: "Times a thread waited for the key-value server.",
            labels: labels)
        redirects = registry.counter(
            "modelworks_keyvalue_redirects_total", help: "Commands that a cluster sent to another node.",
            labels: labels)
        reconnects = registry.counter(
            "modelworks_keyvalue_reconnects_total", help: "Connections made in place of lost ones.", labels: labels)
        readSeconds = registry.histogram(
            "modelworks_keyvalue_read_seconds", help: "Time of a read; of LMDB one read in 64 is timed.",
            labels: labels, bounds: [1e-6, 1e-5] + Histogram.durationBounds)
        writeSeconds = registry.histogram(
            "modelworks_keyvalue_write_seconds", help: "Time of a change with its wait for the ones before it.",
            labels: labels)
    }

    /// Counts one change by `putNewer` that began at `start`.
    func count(_ rows: KeyValuePutCount, since start: UInt64) {
        writes.increment()
        rowsPut.increment(by: UInt64(rows.put))
        rowsSkipped.increment(by: UInt64(max(0, rows.skipped)))
        writeSeconds.observe(nanoseconds: SystemTime.monotonicNanoseconds - start)
    }
}
