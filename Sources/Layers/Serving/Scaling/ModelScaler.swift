import Basics
import Inference
import Synchronization
import Telemetry

/// How many replicas of a model are wanted now, and what that comes from.
public struct ScalingReport: Sendable, Codable, Equatable {
    public let model: String
    public let version: String
    public let desired: Int
    public let reason: ScalingDecision.Reason
    /// Processes of the model that answer now; 1 for a model that runs in the server's own.
    public let running: Int
    public let minimum: Int
    public let maximum: Int
    public let targetConcurrency: Double
    /// Requests under way, averaged over the stable window.
    public let concurrency: Double
    public let requestsPerSecond: Double
    public let p95Seconds: Double?
}

/// Watches the load of every model that has a scaling policy, sizes the processes of those that have their own, and tells
/// how many replicas are wanted of the others.
public final class ModelScaler: Sendable {
    private struct Watched {
        weak var model: ServedModel?
        var autoscaler: Autoscaler
        let desired: Gauge
        let concurrency: Gauge
        var report: ScalingReport?
    }

    private let models: ModelRepository
    private let metrics: MetricsRegistry
    private let watched = Mutex<[ObjectIdentifier: Watched]>([:])

    /// - Parameter metrics: gets `modelworks_desired_replicas` and `modelworks_model_concurrency`.
    public init(_ models: ModelRepository, metrics: MetricsRegistry) {
        self.models = models
        self.metrics = metrics
    }

    /// Decides anew; to be called once a second.
    /// - Parameter now: nanoseconds of the monotonic clock.
    public func tick(now: UInt64) {
        let all = models.all
        let orders = watched.withLock { watched in
            watched = watched.filter { $0.value.model != nil }
            return all.compactMap { decide($0, in: &watched, now: now) }
        }
        // Starting and ending processes is no work for a lock.
        for (model, desired) in orders { model.scale(to: desired) }
    }

    /// What was decided last, by name and version.
    public var reports: [ScalingReport] {
        watched.withLock { $0.values.compactMap { $0.model == nil ? nil : $0.report } }
            .sorted { ($0.model, $0.version) < ($1.model, $1.version) }
    }

    private func decide(
        _ served: ServedModel, in watched: inout [ObjectIdentifier: Watched], now: UInt64
    ) -> (any ScalableModel, Int)? {
        guard let policy = served.configuration.scaling, let meter = served.meter else { return nil }
        let key = ObjectIdentifier(served)
        var entry = watched[key] ?? watch(served, policy)
        let scalable = served.runner.scalable
        let running = scalable?.replicas ?? 1
        let sample = meter.read(at: now)
        let decision = entry.autoscaler.decide(sample, running: running, at: Double(now) * 1e-9)
        entry.desired.set(Double(decision.desired))
        entry.concurrency.set(decision.stableConcurrency)
        entry.report = ScalingReport(
            model: served.name, version: served.version, desired: decision.desired, reason: decision.reason,
            running: running, minimum: policy.minimum, maximum: policy.maximum,
            targetConcurrency: policy.targetConcurrency, concurrency: decision.stableConcurrency,
            requestsPerSecond: sample.requestsPerSecond, p95Seconds: sample.p95Seconds)
        watched[key] = entry
        return scalable.map { ($0, decision.desired) }
    }

    private func watch(_ served: ServedModel, _ policy: ScalingPolicy) -> Watched {
        let labels = ["model": served.name, "version": served.version]
        return Watched(
            model: served, autoscaler: Autoscaler(policy),
            desired: metrics.gauge(
                "modelworks_desired_replicas", help: "Replicas of a model that its load asks for.", labels: labels),
            concurrency: metrics.gauge(
                "modelworks_model_concurrency", help: "Requests to a model under way, averaged over its stable window.",
                labels: labels))
    }
}
