import Telemetry

/// How long the stages of the requests took that one arm of one version answered.
public final class StageHistograms: Sendable {
    private let ingest: DurationHistogram
    private let preprocess: DurationHistogram
    private let inference: DurationHistogram
    private let postprocess: DurationHistogram
    private let serialise: DurationHistogram
    private let total: DurationHistogram

    /// - Parameters:
    ///   - name: of the endpoint or model.
    ///   - metrics: where Prometheus sees them.
    init(_ name: String, version: String, arm: Arm = .stable, in metrics: MetricsRegistry) {
        func histogram(_ stage: RequestStage) -> DurationHistogram {
            metrics.durations(
                "modelworks_inference_stage_seconds", help: "Time in a stage of answering an infer request.",
                labels: ["model": name, "version": version, "arm": arm.name, "stage": stage.rawValue])
        }
        ingest = histogram(.ingest)
        preprocess = histogram(.preprocess)
        inference = histogram(.inference)
        postprocess = histogram(.postprocess)
        serialise = histogram(.serialise)
        total = histogram(.total)
    }

    /// Counts a request that was answered.
    @inline(__always)
    public func observe(_ times: StageTimes) {
        ingest.observe(nanoseconds: times.ingest)
        preprocess.observe(nanoseconds: times.preprocess)
        inference.observe(nanoseconds: times.inference)
        postprocess.observe(nanoseconds: times.postprocess)
        serialise.observe(nanoseconds: times.serialise)
        total.observe(nanoseconds: times.total)
    }

    /// What was counted of a stage so far.
    public func read(_ stage: RequestStage) -> DurationCounts {
        switch stage {
        case .ingest: ingest.read()
        case .preprocess: preprocess.read()
        case .inference: inference.read()
        case .postprocess: postprocess.read()
        case .serialise: serialise.read()
        case .total: total.read()
        }
    }
}
