import HTTP
import Security
import Telemetry

/// What an operator's tools ask for: health and metrics.
struct OperatorRoutes {
    private let metrics: MetricsRegistry
    private let more: @Sendable () -> String

    /// - Parameter more: further metrics, in the text format of Prometheus.
    init(metrics: MetricsRegistry, more: @escaping @Sendable () -> String = { "" }) {
        self.metrics = metrics
        self.more = more
    }

    func install(on router: Router) {
        router.get("/health", needs: .nothing) { _ in try .json(["status": "ok"]) }
        installMetrics(on: router)
    }

    func installMetrics(on router: Router) {
        router.get("/metrics", needs: .right(to: .read)) { [metrics, more] _ in
            .bytes(
                Array((metrics.prometheusText() + more()).utf8),
                contentType: "text/plain; version=0.0.4; charset=utf-8")
        }
    }
}
