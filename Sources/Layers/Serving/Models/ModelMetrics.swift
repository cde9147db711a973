import Telemetry

/// What Prometheus sees of a version of a model.
final class ModelMetrics: Sendable {
    let queue: Histogram
    let input: Histogram
    let infer: Histogram
    let output: Histogram
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

    /// Upper bounds of durations in seconds: models answer in microseconds or in seconds.
    private static let seconds = [
        5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5,
        10, 30,
    ]

    init(_ name: String, _ version: String, in metrics: MetricsRegistry) {
        let labels = ["model": name, "version": version]
        func stage(_ stage: String) -> Histogram {
            metrics.histogram(
                "modelworks_model_stage_seconds", help: "Time in a stage of answering a request to a model.",
                labels: labels.merging(["stage": stage]) { $1 }, bounds: Self.seconds)
        }
        queue = stage("queue")
        input = stage("input")
        infer = stage("infer")
        output = stage("output")
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
