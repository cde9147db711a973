import Basics
import HTTP
import Synchronization
import Telemetry

/// The methods of gRPC services, by their paths.
///
/// A service is installed by registering its methods before the server starts:
///
///     calls.inline("/inference.GRPCInferenceService/ModelInfer", needs: .action("predict", onSome: "model")) { call in
///         // Reads `call.message` in place and answers by `call.reply`, or takes the call by `call.later()`.
///     }
///     calls.unary("/inference.GRPCInferenceService/ModelInfer", needs: …) { request in … }
///     calls.stream("/inference.GRPCInferenceService/ModelStreamInfer", needs: …) { stream in
///         while let message = try await stream.next() { try await stream.send(answer(to: message)) }
///     }
///     calls.health.set("inference.GRPCInferenceService", .serving)
///
/// and by giving the router to a server: `HTTPServer(configuration:router:calls:…)` with an `http2Port`.
/// `grpc.health.v1.Health` is there by itself.
public final class GRPCRouter: Sendable {
    private struct State {
        var registrations: [GRPCMethod.Registration] = []
        var problems: [String] = []
        var access: (any AccessGuard)?
    }

    /// What `grpc.health.v1.Health` tells.
    public let health = GRPCHealth()
    private let limits: GRPCLimits
    private let state = Mutex(State())

    public init(limits: GRPCLimits = GRPCLimits()) {
        self.limits = limits
        health.install(on: self)
    }

    /// Puts a guard before every method. Give it before the server starts.
    public func protect(with guardian: any AccessGuard) { state.withLock { $0.access = guardian } }

    /// Registers a handler for the hot path, called on the loop thread with the message in place. It must not block. Where
    /// it returns false without an answer, the `unary` handler of the same method goes on.
    /// - Parameter need: what the method asks of its caller. Where there is none, a guard lets only callers with every
    ///   right in. One that names the kind of a resource, `.action(_:onSome:)`, is asked for again by the handler, by
    ///   ``GRPCInlineCall/require(_:on:)``, once it knows which is meant.
    public func inline(_ method: String, needs need: RouteNeed? = nil, _ handler: @escaping GRPCInlineHandler) {
        register(method, need) { taken in
            defer { taken.inline = handler }
            return taken.inline == nil && taken.stream == nil
        }
    }

    /// Registers a handler that may wait.
    public func unary(_ method: String, needs need: RouteNeed? = nil, _ handler: @escaping GRPCUnaryHandler) {
        register(method, need) { taken in
            defer { taken.unary = handler }
            return taken.unary == nil && taken.stream == nil
        }
    }

    /// Registers a handler of any number of messages either way.
    public func stream(_ method: String, needs need: RouteNeed? = nil, _ handler: @escaping GRPCStreamHandler) {
        register(method, need) { taken in
            defer { taken.stream = handler }
            return taken.stream == nil && taken.unary == nil && taken.inline == nil
        }
    }

    private func register(
        _ name: String, _ need: RouteNeed?, _ change: (inout GRPCMethod.Registration) -> Bool
    ) {
        state.withLock { state in
            let parts = name.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0].isEmpty, !parts[1].isEmpty, !parts[2].isEmpty else {
                state.problems.append("'\(name)' is no path of a method, such as '/package.Service/Method'")
                return
            }
            var index = state.registrations.firstIndex { $0.name == name }
            if let index, state.registrations[index].need != need {
                state.problems.append("'\(name)' has two handlers with different needs")
            }
            if index == nil {
                index = state.registrations.count
                state.registrations.append(.init(name: name, need: need))
            }
            if let index, !change(&state.registrations[index]) { state.problems.append("'\(name)' is taken") }
        }
    }

    /// What serves the methods as they are registered now.
    /// - Throws: `HTTPFailure.badRoutes`.
    func core(
        metrics: MetricsRegistry, observer: (any RequestObserver)?, log: Logger, random: any RandomSource
    ) throws(HTTPFailure) -> GRPCCore {
        let state = state.withLock { $0 }
        guard state.problems.isEmpty else { throw .badRoutes(state.problems) }
        return GRPCCore(
            methods: state.registrations.map { GRPCMethod($0, registry: metrics) }, health: health,
            access: state.access, limits: limits, metrics: metrics, observer: observer,
            log: log, random: random)
    }
}

extension HTTPServer {
    /// A server that answers calls of gRPC as well, on the `http2Port` of its configuration.
    /// - Parameters:
    ///   - calls: its methods as they are when the server starts.
    ///   - metrics: gets `modelworks_grpc_calls_total` and `modelworks_grpc_call_seconds` too.
    public convenience init(
        configuration: HTTPServerConfiguration, router: Router, calls: GRPCRouter, log: Logger,
        metrics: MetricsRegistry, random: any RandomSource = SystemRandom()
    ) {
        self.init(
            configuration: configuration, router: router,
            receiver: { () throws(HTTPFailure) in
                try calls.core(metrics: metrics, observer: configuration.observer, log: log, random: random)
            },
            log: log, metrics: metrics, random: random)
    }
}
