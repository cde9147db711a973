import Basics
import Foundation
import HTTP
import Security
import Telemetry
import Works

struct UpCommand: Command {
    let usage = Usage(
        name: "up", summary: "Serve everything on one HTTP port", positionals: ["[DIRECTORY]"],
        options: [
            .init(name: "host", value: "HOST", help: "address to listen on (default 127.0.0.1)"),
            .init(name: "http-port", value: "PORT", help: "port to listen on, 0 for any free one (default 5000)"),
            .init(name: "threads", value: "N", help: "network threads (default 2)"),
            .init(name: "auth", value: "on|off", help: "ask callers for a token (default: off on loopback, else on)"),
            .init(name: "tls-cert", value: "FILE", help: "certificate chain for TLS, PEM; read again when it changes"),
            .init(name: "tls-key", value: "FILE", help: "its unencrypted key, PEM, readable by its owner alone"),
            .init(name: "tls-client-ca", value: "FILE", help: "let in only clients with a certificate of these, PEM"),
            .init(name: "insecure", value: nil, help: "allow a network address without authentication and TLS"),
            .init(name: "end-jobs", value: nil, help: "end running jobs at shutdown (default: the next start goes on)"),
            .init(
                name: "mlflow-pages", value: "DIR", help: "show MLflow's web pages, mlflow/server/js/build of its wheel"
            ),
            .init(name: "log-level", value: "LEVEL", help: "debug, info, warning or error (default warning)"),
        ] + gatewayOptions + modelOptions,
        example: "modelworks up Examples/flights --root /var/lib/modelworks --http-port 5000")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        HeapSettings.forRequests()
        let port = try arguments.integer("http-port", default: 5000, in: 0...65_535)
        let threads = try arguments.integer("threads", default: 2, in: 1...64)
        let level = arguments.option("log-level") ?? "warning"
        guard let logLevel = LogLevel(level) else {
            throw UsageError("'--log-level' must be debug, info, warning or error")
        }
        let host = arguments.option("host") ?? "127.0.0.1"
        var security = try security(arguments, context, host: host)
        let directory = arguments.positional(0).map(context.absolute)
        let gateway = try gateway(arguments, context, definedIn: directory)
        let json = arguments.flag("json")
        // What may be read again while it runs. Without it a closed terminal ends the server as ever.
        let isReloaded = security.certificate != nil || gateway.accessLog != nil || gateway.knowsCallers
        let reload = isReloaded ? StopSignal([SIGHUP]) : nil
        security.reloads = reload?.stream
        // Taken before anything is opened, so that a signal during start ends in a drain too.
        let stop = StopSignal()
        if let folder = arguments.option("models"), arguments.positionals.isEmpty {
            return try await serveModels(
                folder, arguments, context, security: security, gateway: gateway, host: host, port: port,
                threads: threads, logLevel: logLevel, stop: stop)
        }
        guard gateway.keysPath == nil else {
            throw UsageError(
                "'--api-keys' goes with '--models'", remedy: "A factory keeps its own: 'modelworks token create'.")
        }
        guard !arguments.flag("record") else {
            throw UsageError("'--record' goes with '--models' alone: a factory keeps its requests under its root")
        }
        var options = try context.works(arguments, definedIn: arguments.positional(0))
        options.threads = threads
        options.logLevel = logLevel
        options.models = try repository(
            arguments, context, folder: modelsFolder(arguments, context))
        options.tritonMetrics = arguments.flag("triton-metrics")
        options.mlflowPages = arguments.option("mlflow-pages").map(context.absolute)
        let works = try await Works.open(options)
        if security.access == .on, gateway.webTokens == nil, try await !works.access.hasAdmin() {
            let root = context.root(arguments)
            complain(
                "nobody can sign in yet. Stop this server, run 'modelworks token create --principal admin --role admin"
                    + " --root \(root)', and start it again")
        }
        try await works.serve(
            host: host, port: port,
            grpcPort: arguments.flag("grpc-port")
                ? try arguments.integer("grpc-port", default: 5001, in: 0...65_535) : nil,
            security: security, gateway: gateway, endJobs: arguments.flag("end-jobs"),
            grpcReady: { address in
                say(json ? "{\"grpc\":\"\(address)\"}" : "gRPC is ready at \(address)")
            },
            ready: { url in
                say(json ? "{\"url\":\"\(url)\"}" : "Modelworks is ready at \(url)")
            }, until: { await stop.wait() })
        return Output(document: ["stopped": true], text: "Stopped.")
    }
}

extension UpCommand {
    /// The folder that was named, or that of the factory's directory; nil for that of the directory applied last.
    private func modelsFolder(_ arguments: Arguments, _ context: Context) -> String? {
        if let folder = arguments.option("models") { return context.absolute(folder) }
        guard let directory = arguments.positional(0) else { return nil }
        var isFolder: ObjCBool = false
        let folder = "\(context.absolute(directory))/models"
        return FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) && isFolder.boolValue
            ? folder : nil
    }

    private func security(_ arguments: Arguments, _ context: Context, host: String) throws -> ServerSecurity {
        var security = ServerSecurity(access: .standard(host: host), insecure: arguments.flag("insecure"))
        if let word = arguments.option("auth") {
            guard let mode = AccessMode(rawValue: word) else { throw UsageError("'--auth' must be on or off") }
            security.access = mode
        }
        switch (arguments.option("tls-cert"), arguments.option("tls-key")) {
        case (let chain?, let key?):
            security.certificate = HTTPServerConfiguration.Certificate(
                chainPath: context.absolute(chain), keyPath: context.absolute(key),
                clientAuthorityPath: arguments.option("tls-client-ca").map(context.absolute))
        case (nil, nil):
            guard arguments.option("tls-client-ca") == nil else {
                throw UsageError("'--tls-client-ca' needs '--tls-cert' and '--tls-key'")
            }
        default: throw UsageError("'--tls-cert' and '--tls-key' go together")
        }
        // Before any store is opened: nothing is to be seen of a server that may not start.
        try security.access.check(
            host: host, encrypted: security.certificate != nil, insecure: security.insecure)
        return security
    }

    private func complain(_ text: String) {
        FileHandle.standardError.write(Data("modelworks: \(text)\n".utf8))
    }
}

/// SIGTERM or SIGINT, or other signals that are named, waited for.
final class StopSignal: @unchecked Sendable {
    /// One element for each signal.
    let stream: AsyncStream<Void>
    /// Kept so that they go on; never touched again.
    private let sources: [any DispatchSourceSignal]

    init(_ numbers: [Int32] = [SIGTERM, SIGINT]) {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        self.stream = stream
        signal(SIGPIPE, SIG_IGN)
        sources = numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield() }
            source.resume()
            return source
        }
    }

    func wait() async {
        for await _ in stream { return }
    }
}
