import Synchronization
import Telemetry

/// Counts and durations of requests by route. Handles are resolved once for each combination.
final class AccessMetrics: Sendable {
    private struct Key: Hashable {
        let method: HTTPMethod
        let route: String
        let status: Int
    }

    /// The handles of an inline route: no lookup for the most frequent answer.
    struct InlineHandles: Sendable {
        let succeeded: Counter
        let seconds: Histogram
    }

    private let registry: MetricsRegistry
    private let counters = Mutex<[Key: Counter]>([:])
    private let durations = Mutex<[String: Histogram]>([:])

    init(registry: MetricsRegistry) { self.registry = registry }

    func record(_ method: HTTPMethod, route: String, status: HTTPStatus, nanoseconds: UInt64) {
        counter(method, route, status).increment()
        duration(route).observe(nanoseconds: nanoseconds)
    }

    func refused(status: Int) {
        registry.counter(
            "modelworks_http_refused_total", help: "Requests refused by the transport before they had a route.",
            labels: ["status": "\(status)"]
        ).increment()
    }

    func connections(_ read: @escaping @Sendable () -> Double) {
        registry.reading("modelworks_http_connections", help: "Open connections.", read)
    }

    func handles(for route: InlineRoute) -> InlineHandles {
        InlineHandles(
            succeeded: counter(route.method, route.pattern.text, .ok), seconds: duration(route.pattern.text))
    }

    private func counter(_ method: HTTPMethod, _ route: String, _ status: HTTPStatus) -> Counter {
        let key = Key(method: method, route: route, status: status.code)
        return counters.withLock { counters in
            if let known = counters[key] { return known }
            let made = registry.counter(
                "modelworks_http_requests_total", help: "Requests answered.",
                labels: ["method": method.rawValue, "route": route, "status": "\(status.code)"])
            counters[key] = made
            return made
        }
    }

    private func duration(_ route: String) -> Histogram {
        durations.withLock { durations in
            if let known = durations[route] { return known }
            let made = registry.histogram(
                "modelworks_http_request_seconds",
                help: "Seconds from the whole request read to the answer handed to the socket.",
                labels: ["route": route])
            durations[route] = made
            return made
        }
    }
}
