import Basics
internal import CTransport
import Synchronization
import Telemetry

/// An HTTP/1.1 server over plain TCP or TLS, which hands what comes by HTTP/2 to a receiver.
///
/// Each thread runs a loop; a connection stays on its loop. Inline routes and the first part of asynchronous ones run on
/// the loop thread: what burns CPU or blocks must leave it by an `await`.
public final class HTTPServer: Sendable {
    private struct Running: @unchecked Sendable {
        // The transport's own functions are safe from any thread.
        let pointer: OpaquePointer
        let core: ServerCore
        let http2Port: Int?
    }

    private let configuration: HTTPServerConfiguration
    private let router: Router
    private let receiver: (@Sendable () throws(HTTPFailure) -> any HTTP2Receiver)?
    private let log: Logger
    private let metrics: MetricsRegistry
    private let random: any RandomSource
    private let running = Mutex<Running?>(nil)
    private let stopper = BlockingThread(name: "http-stop")

    /// - Parameters:
    ///   - router: its routes as they are when the server starts.
    ///   - metrics: gets `modelworks_http_requests_total`, `modelworks_http_request_seconds`,
    ///     `modelworks_http_refused_total` and `modelworks_http_connections`.
    ///   - random: makes the ids of requests that bring none.
    public convenience init(
        configuration: HTTPServerConfiguration, router: Router, log: Logger, metrics: MetricsRegistry,
        random: any RandomSource = SystemRandom()
    ) {
        self.init(
            configuration: configuration, router: router, receiver: nil, log: log, metrics: metrics, random: random)
    }

    /// - Parameter receiver: makes, at the start, what gets the requests of HTTP/2; nil where none is spoken.
    package init(
        configuration: HTTPServerConfiguration, router: Router,
        receiver: (@Sendable () throws(HTTPFailure) -> any HTTP2Receiver)?, log: Logger, metrics: MetricsRegistry,
        random: any RandomSource
    ) {
        self.configuration = configuration
        self.router = router
        self.receiver = receiver
        self.log = log
        self.metrics = metrics
        self.random = random
    }

    deinit {
        if let running = running.withLock({ $0 }) { mw_server_free(running.pointer) }
    }

    /// Starts to listen.
    /// - Returns: the port, also where the system chose it.
    /// - Throws: `HTTPFailure.badRoutes`, `portInUse`, `portNotPermitted`, `badHost`, `badCertificate`, `cannotListen`.
    @discardableResult
    public func start() throws(HTTPFailure) -> Int {
        guard router.problems.isEmpty else { throw .badRoutes(router.problems) }
        guard let wanted = UInt16(exactly: configuration.port) else {
            throw .cannotListen("\(configuration.port) is no port number")
        }
        guard let wantedSecond = UInt16(exactly: configuration.http2Port ?? 0) else {
            throw .cannotListen("\(configuration.http2Port ?? 0) is no port number")
        }
        try configuration.certificate?.check()
        let access = AccessMetrics(registry: metrics)
        let core = ServerCore(
            router: router, receiver: try receiver?(), configuration: configuration, metrics: access, log: log,
            random: random)
        let result = running.withLock { running -> Result<Int, HTTPFailure> in
            guard running == nil else { return .failure(.cannotListen("it has been started before")) }
            return open(wanted, wantedSecond, core).map { opened in
                running = opened.running
                return opened.port
            }
        }
        let port = try result.get()
        access.connections { [weak self] in Double(self?.connections ?? 0) }
        log.info(
            "listening",
            [
                "host": .string(configuration.host), "port": .integer(Int64(port)),
                "http2_port": http2Port.map { .integer(Int64($0)) } ?? .null,
                "tls": .bool(configuration.certificate != nil),
            ])
        return port
    }

    /// Reads the files of the certificate again. Connections made from now on use them; the others go on as they are.
    /// - Throws: `HTTPFailure.badCertificate`; what was in use stays in use.
    public func reloadCertificate() throws(HTTPFailure) {
        guard let certificate = configuration.certificate, let running = running.withLock({ $0 }) else { return }
        try certificate.check()
        var text = [CChar](repeating: 0, count: 512)
        guard mw_server_reload_tls(running.pointer, &text, text.count) == MW_OK else {
            throw .badCertificate(nullTerminated(text))
        }
        log.info("the TLS certificate was read again", ["file": .string(certificate.chainPath)])
    }

    /// The port of HTTP/2, also where the system chose it; nil where there is none or the server does not run.
    public var http2Port: Int? { running.withLock { $0?.http2Port } }

    /// Open connections at this moment.
    public var connections: Int { running.withLock { $0.map { mw_server_connections($0.pointer) } ?? 0 } }

    /// Stops accepting, closes idle connections, waits for the answers that are under way, and cuts what is left after
    /// `drainSeconds`. A second call returns when the first has been done.
    public func shutdown(drainSeconds: Double) async {
        guard let running = running.withLock({ $0 }) else { return }
        running.core.receiver?.drain()
        let cut = try? await stopper.run { mw_server_stop(running.pointer, milliseconds(drainSeconds)) }
        if let cut, cut > 0 {
            log.warning("connections were cut at the end of the drain time", ["connections": .integer(Int64(cut))])
        }
    }

    private func open(
        _ port: UInt16, _ secondPort: UInt16, _ core: ServerCore
    ) -> Result<(port: Int, running: Running), HTTPFailure> {
        var options = mw_server_options()
        options.port = port
        options.threads = Int32(clamping: configuration.threads)
        options.header_limit = max(256, configuration.headerLimit)
        options.body_limit = max(0, configuration.bodyLimit)
        options.piecewise_limit = max(0, configuration.piecewiseBodyLimit)
        options.connection_limit = max(1, configuration.connectionLimit)
        options.header_timeout_ms = milliseconds(configuration.headerTimeout)
        options.body_timeout_ms = milliseconds(configuration.bodyTimeout)
        options.idle_timeout_ms = milliseconds(configuration.idleTimeout)
        options.write_timeout_ms = milliseconds(configuration.writeTimeout)
        options.minimum_rate = Int32(clamping: max(1, configuration.minimumRate))
        options.context = Unmanaged.passUnretained(core).toOpaque()
        options.on_header = { context, exchange in
            guard let context, let exchange else { return 0 }
            return Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue().takesPieces(exchange) ? 1 : 0
        }
        options.on_request = { context, exchange in
            guard let context, let exchange else { return }
            Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue().handle(exchange)
        }
        options.on_refused = { context, status in
            guard let context else { return }
            Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue().refused(status: Int(status))
        }
        let speaksHTTP2 = core.receiver != nil && configuration.http2Port != nil
        if speaksHTTP2 { listenForCalls(&options, on: secondPort) }
        var bound: UInt16 = 0
        var boundSecond: UInt16 = 0
        var outcome = MW_OK
        var text = [CChar](repeating: 0, count: 512)
        let pointer = configuration.host.withCString { host in
            options.host = host
            guard let certificate = configuration.certificate else {
                return mw_server_start(&options, &bound, &boundSecond, &outcome, &text, text.count)
            }
            return certificate.chainPath.withCString { chain in
                certificate.keyPath.withCString { key in
                    (certificate.clientAuthorityPath ?? "").withCString { authority in
                        options.certificate_path = chain
                        options.key_path = key
                        if certificate.clientAuthorityPath != nil { options.client_ca_path = authority }
                        return mw_server_start(&options, &bound, &boundSecond, &outcome, &text, text.count)
                    }
                }
            }
        }
        guard let pointer else { return .failure(failure(outcome, port: Int(bound), nullTerminated(text))) }
        let http2Port = speaksHTTP2 ? Int(boundSecond) : nil
        return .success((Int(bound), Running(pointer: pointer, core: core, http2Port: http2Port)))
    }

    private func listenForCalls(_ options: inout mw_server_options, on port: UInt16) {
        options.http2 = 1
        options.http2_port = port
        options.stream_limit = max(1, configuration.streamLimit)
        options.body_memory = max(1 << 20, configuration.streamMemory)
        options.on_call = { context, call in
            guard let call, let receiver = ServerCore.receiver(context) else { return }
            receiver.receive(call)
        }
        options.on_call_bytes = { context, call in
            guard let call, let receiver = ServerCore.receiver(context) else { return }
            receiver.bytes(call)
        }
        options.on_call_room = { context, call in
            guard let call, let receiver = ServerCore.receiver(context) else { return }
            receiver.room(call)
        }
        options.on_call_late = { context, call in
            guard let call, let receiver = ServerCore.receiver(context) else { return }
            receiver.late(call)
        }
        options.on_call_closed = { context, call, owner, gone in
            guard let call, let owner, let receiver = ServerCore.receiver(context) else { return }
            receiver.closed(call, owner: owner, gone: gone != 0)
        }
    }

    private func failure(_ outcome: mw_outcome, port: Int, _ reason: String) -> HTTPFailure {
        switch outcome {
        case MW_PORT_IN_USE: .portInUse(host: configuration.host, port: port)
        case MW_NO_PERMISSION: .portNotPermitted(host: configuration.host, port: port)
        case MW_BAD_HOST: .badHost(configuration.host, reason)
        case MW_BAD_TLS: .badCertificate(reason)
        default: .cannotListen(reason)
        }
    }
}

/// Whole milliseconds, at least 1 and at most a week.
func milliseconds(_ seconds: Double) -> Int32 {
    guard seconds.isFinite else { return 604_800_000 }
    return Int32(min(604_800_000, max(1, seconds * 1000)))
}

func nullTerminated(_ text: [CChar]) -> String {
    String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
