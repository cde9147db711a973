import Basics
import Foundation
import HTTP
import Security
import Telemetry

/// What stands between a server's socket and its routes: who is let in, how often, from which pages, and what is told of it.
final class Gateway: Sendable {
    let limits: RateLimits
    private let options: GatewayOptions
    private let crossOrigins: CrossOrigins?
    private let keys: KeyFile?
    private let webTokens: WebTokens?
    private let accessLog: AccessLog?
    private let traces: TraceExporter?
    private let time: any TimeSource
    private let metrics: MetricsRegistry
    private let logger: Logger

    /// - Parameter limits: whose limits of the server are set; those of definitions stay.
    /// - Throws: the `Failure` for which keys, origins or the log can not be used.
    init(
        _ options: GatewayOptions, limits: RateLimits, time: any TimeSource, random: any RandomSource,
        metrics: MetricsRegistry, logger: Logger
    ) throws {
        self.options = options
        self.limits = limits
        self.time = time
        self.metrics = metrics
        self.logger = logger
        limits.set(options.limits, of: .server)
        crossOrigins = options.crossOrigins.isEmpty ? nil : try CrossOrigins(options.crossOrigins)
        keys = try options.keysPath.map { try KeyFile(path: $0) }
        webTokens = try options.webTokens.map { try WebTokens($0) }
        accessLog = try options.accessLog.map {
            try AccessLog(path: $0.path, format: $0.format, bytesMax: $0.bytesMax, time: time)
        }
        traces = try options.tracesURL.map { url in
            let client = try HTTPClient(baseURL: url, connections: 1, timeout: 10)
            return TraceExporter(
                service: "modelworks", share: options.traceShare, time: time, random: random, metrics: metrics
            ) { document in
                let answer = try await client.send(
                    .post, "/v1/traces", headers: ["Content-Type": "application/json"], body: document)
                guard answer.status.isSuccess else { throw HTTPFailure.badAnswer(url, "\(answer.status.code)") }
            }
        }
        if let accessLog {
            metrics.reading(
                "modelworks_access_log_dropped", help: "Lines of the access log that the disk did not take in time."
            ) { Double(accessLog.dropped) }
        }
    }

    /// The settings of the transport that belong to it.
    func configure(_ configuration: inout HTTPServerConfiguration) {
        configuration.crossOrigins = crossOrigins
        configuration.answerTimeout = options.answerSeconds
        if let bytes = options.bodyBytesMax { configuration.bodyLimit = bytes }
        configuration.observer = RequestObservers(([accessLog, traces] as [(any RequestObserver)?]).compactMap(\.self))
    }

    /// What decides for a server without a factory; nil where everything is open and nothing counted.
    func guardian(_ access: AccessMode) -> (any AccessGuard)? {
        switch access {
        case .on:
            Authenticator(
                keys: keys, webTokens: webTokens, limits: limits, time: time, metrics: metrics, log: logger)
        case .off: options.limits.isEmpty ? nil : OpenAccess(limits: limits)
        }
    }

    /// The guard of a factory, that knows its principals.
    func authenticator(_ store: AccessStore) -> Authenticator {
        Authenticator(
            store: store, webTokens: webTokens, limits: limits, time: time, metrics: metrics, log: logger)
    }

    /// Keeps up with what changes outside of a running server, until the task is cancelled: certificate, keys, and a log
    /// that was moved away.
    func keep(_ server: HTTPServer, _ security: ServerSecurity) async {
        var watched: [WatchedFiles] = []
        if let certificate = security.certificate {
            let paths = [certificate.chainPath, certificate.keyPath, certificate.clientAuthorityPath]
            watched.append(
                WatchedFiles(paths.compactMap(\.self), what: "the TLS certificate") { try server.reloadCertificate() })
        }
        if let keys { watched.append(WatchedFiles([keys.path], what: "the API keys") { try keys.reload() }) }
        if let webTokens {
            watched.append(WatchedFiles([webTokens.path], what: "the keys of the issuer") { try webTokens.reload() })
        }
        let (files, log) = (watched, accessLog)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [logger] in await WatchedFiles.follow(files, log: logger) }
            if let traces {
                group.addTask {
                    while !Task.isCancelled {
                        try? await Task.sleep(for: .seconds(1))
                        await traces.flush()
                    }
                }
            }
            guard let reloads = security.reloads else { return }
            group.addTask { [logger] in
                for await _ in reloads {
                    for file in files { file.reload(logger) }
                    do { try log?.reopen() } catch {
                        logger.error("the access log could not be opened again", ["error": .string("\(error)")])
                    }
                }
            }
        }
    }

    /// Writes out what is still held, once every request is answered.
    func close() async {
        accessLog?.flush()
        await traces?.flush()
    }
}
