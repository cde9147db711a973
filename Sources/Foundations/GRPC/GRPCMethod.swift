import HTTP
import Telemetry

/// A handler of the hot path, called on the loop thread. It returns true when it has answered or taken the call to answer
/// it later, false to leave it to the asynchronous handler of the same method.
public typealias GRPCInlineHandler = @Sendable (borrowing GRPCInlineCall) -> Bool

/// A handler that takes one message and answers with one. Its task is cancelled when the client gives the call up or its
/// deadline passes.
public typealias GRPCUnaryHandler = @Sendable (GRPCRequest) async throws -> [UInt8]

/// A handler of any number of messages either way. The call ends well when it returns, and by the status of what it
/// throws. Its task is cancelled when the client gives the call up or its deadline passes.
public typealias GRPCStreamHandler = @Sendable (GRPCStream) async throws -> Void

/// A method of a service, and what handles it.
final class GRPCMethod: Sendable {
    let path: [UInt8]
    let name: String
    let need: RouteNeed?
    let inline: GRPCInlineHandler?
    let unary: GRPCUnaryHandler?
    let stream: GRPCStreamHandler?
    let succeeded: Counter
    let seconds: Histogram
    private let registry: MetricsRegistry

    init(_ registration: Registration, registry: MetricsRegistry) {
        name = registration.name
        path = Array(name.utf8)
        need = registration.need
        inline = registration.inline
        unary = registration.unary
        stream = registration.stream
        self.registry = registry
        succeeded = GRPCMethod.counter(registry, name, .ok)
        seconds = registry.histogram(
            "modelworks_grpc_call_seconds",
            help: "Seconds from the whole message, or the start of a stream, to the end.",
            labels: ["method": name])
    }

    func record(_ code: GRPCStatus.Code, nanoseconds: UInt64) {
        if code == .ok {
            succeeded.increment()
        } else {
            GRPCMethod.counter(registry, name, code).increment()
        }
        seconds.observe(nanoseconds: nanoseconds)
    }

    /// Counts the end of a call; those of unknown methods have one name together.
    static func counter(_ registry: MetricsRegistry, _ name: String, _ code: GRPCStatus.Code) -> Counter {
        registry.counter(
            "modelworks_grpc_calls_total", help: "Calls of gRPC by how they ended.",
            labels: ["method": name, "code": code.name])
    }

    /// What was said of a method before the server starts.
    struct Registration: Sendable {
        var name: String
        var need: RouteNeed?
        var inline: GRPCInlineHandler?
        var unary: GRPCUnaryHandler?
        var stream: GRPCStreamHandler?
    }
}
