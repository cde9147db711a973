import Telemetry

/// What Prometheus sees of a version of a model.
final class ModelMetrics: Sendable {
    let rows: Histogram
    private let closes: [BatchClose: Counter]
    private let failures: [Failure: Counter]

    /// Why a request was not answered.
    enum Failure: String, CaseIterable {
        /// The queue was full.
        case refused
        /// The deadline passed.
        case expired
        /// The caller went away.
        case left
        /// The request did not fit the model, or the model failed.
        case failed
    }

    init(_ name: String, _ version: String, in metrics: MetricsRegistry) {
        let labels = ["model": name, "version": version]
        rows = metrics.histogram(
            "modelworks_model_batch_rows", help: "Rows a model ran at once.", labels: labels,
            bounds: (0...12).map { Double(1 << $0) })
        closes = Dictionary(
            uniqueKeysWithValues: BatchClose.allCases.map { close in
                (
                    close,
                    metrics.counter(
                        "modelworks_model_batches_total",
                        help: "Runs taken from the queue of a model, by why no more was taken into them.",
                        labels: labels.merging(["closed": close.rawValue]) { $1 })
                )
            })
        failures = Dictionary(
            uniqueKeysWithValues: Failure.allCases.map { failure in
                (
                    failure,
                    metrics.counter(
                        "modelworks_model_failures_total", help: "Requests to a model that were not answered.",
                        labels: labels.merging(["reason": failure.rawValue]) { $1 })
                )
            })
    }

    func closed(_ close: BatchClose) { closes[close]?.increment() }

    func failed(_ failure: Failure) { failures[failure]?.increment() }

    /// How many requests were not answered for a reason.
    func count(_ failure: Failure) -> UInt64 { failures[failure]?.value ?? 0 }
}
