import HTTP
import Security
import Telemetry

/// What an operator's tools ask for: health and metrics.
struct OperatorRoutes {
    let metrics: MetricsRegistry

    func install(on router: Router) {
        router.get("/health", needs: .nothing) { _ in try .json(["status": "ok"]) }
        router.get("/metrics", needs: .right(to: .read)) { [metrics] _ in
            .bytes(Array(metrics.prometheusText().utf8), contentType: "text/plain; version=0.0.4; charset=utf-8")
        }
    }
}
