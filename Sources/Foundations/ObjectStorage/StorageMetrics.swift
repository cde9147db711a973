import Basics
import Telemetry

/// Counts and times what a store is asked.
struct StorageMetrics: Sendable {
    private let registry: MetricsRegistry
    private let engine: String
    private let bytesRead: Counter
    private let bytesWritten: Counter

    init(_ registry: MetricsRegistry, engine: String) {
        self.registry = registry
        self.engine = engine
        func bytes(_ direction: String) -> Counter {
            registry.counter(
                "modelworks_object_bytes_total", help: "Bytes of objects moved, by direction.",
                labels: ["engine": engine, "direction": direction])
        }
        bytesRead = bytes("read")
        bytesWritten = bytes("written")
    }

    func read(_ bytes: Int64) { bytesRead.increment(by: UInt64(clamping: bytes)) }

    func written(_ bytes: Int64) { bytesWritten.increment(by: UInt64(clamping: bytes)) }

    /// One request: its kind, how it ended (an HTTP status, `ok`, or the code of a failure) and how long it took.
    func request(_ operation: String, status: String, nanoseconds: UInt64) {
        registry.counter(
            "modelworks_object_requests_total", help: "Requests to the object store, by operation and status.",
            labels: ["engine": engine, "operation": operation, "status": status]
        ).increment()
        registry.histogram(
            "modelworks_object_request_seconds", help: "Seconds a request to the object store took.",
            labels: ["engine": engine, "operation": operation]
        ).observe(nanoseconds: nanoseconds)
    }

    /// One more try, and what made it needed.
    func retry(_ reason: String) {
        registry.counter(
            "modelworks_object_retries_total", help: "Requests to the object store made again, by reason.",
            labels: ["engine": engine, "reason": reason]
        ).increment()
    }

    static func timed<Value>(
        _ metrics: StorageMetrics?, _ operation: String, isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Value
    ) async throws -> Value {
        guard let metrics else { return try await body() }
        let start = SystemTime.monotonicNanoseconds
        do {
            let value = try await body()
            metrics.request(operation, status: "ok", nanoseconds: SystemTime.monotonicNanoseconds &- start)
            return value
        } catch {
            let status = (error as? any Failure)?.code.rawValue ?? "CANCELLED"
            metrics.request(operation, status: status, nanoseconds: SystemTime.monotonicNanoseconds &- start)
            throw error
        }
    }
}
