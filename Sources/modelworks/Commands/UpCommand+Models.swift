import Basics
import Configuration
import Foundation
import Inference
import Security
import Serving
import Telemetry
import Works

extension UpCommand {
    static let modelOptions: [Usage.Option] =
        [
            .init(
                name: "models", value: "DIR",
                help: "serve the models of a folder: beside DIRECTORY's endpoints, else without a factory"),
            .init(
                name: "grpc-port", value: "PORT", help: "port of gRPC, 0 for any free one (without a factory: 5001)"),
            .init(name: "record", value: "DIR", help: "without a factory: keep the requests to the models in a folder"),
            .init(
                name: "model-control", value: "none|poll|explicit",
                help: "load all models once, follow the folder, or let callers load (default none)"),
            .init(
                name: "load-model", value: "NAMES", help: "with --model-control explicit: what is loaded at the start"),
            .init(name: "model-memory", value: "SIZE", help: "bytes of models kept in memory, such as 2GiB"),
            .init(
                name: "python-workers", value: "MIN:MAX",
                help: "processes of a Python model, as many as its load needs; 0 at least lets it go (default 1)"),
            .init(name: "triton-metrics", value: nil, help: "show metrics of models under Triton's names too"),
            .init(
                name: "load-trial", value: "on|off", help: "load each model in a process of its own first (default on)"),
        ] + ModelCheck.limitOptions

    /// Serves a folder of models until the process is told to stop.
    func serveModels(
        _ folder: String, _ arguments: Arguments, _ context: Context, security: ServerSecurity,
        gateway: GatewayOptions, host: String, port: Int, threads: Int, logLevel: LogLevel, stop: StopSignal
    ) async throws -> Output {
        var security = security
        if arguments.option("auth") == nil { security.access = gateway.knowsCallers ? .on : .off }
        guard security.access == .off || gateway.knowsCallers else {
            throw UsageError(
                "a server of models alone knows no principals",
                remedy: "Give '--api-keys FILE' (see 'modelworks api-key') or '--jwt-jwks FILE', or open a factory.")
        }
        var options = ModelServerOptions(try repository(arguments, context, folder: context.absolute(folder)))
        options.host = host
        options.port = port
        options.grpcPort = try arguments.integer("grpc-port", default: 5001, in: 0...65_535)
        options.threads = threads
        options.security = security
        options.gateway = gateway
        options.tritonMetrics = arguments.flag("triton-metrics")
        options.recordFolder = arguments.option("record").map(context.absolute)
        options.logLevel = logLevel
        let json = arguments.flag("json")
        try await ModelServer(options).serve(
            ready: { address in
                let grpc = address.grpc ?? ""
                say(
                    json
                        ? "{\"grpc\":\"\(grpc)\",\"url\":\"\(address.url)\"}"
                        : "Models are ready at \(address.url), gRPC at \(grpc)")
            },
            until: { await stop.wait() })
        return Output(document: ["stopped": true], text: "Stopped.")
    }

    /// How the models of a folder are served.
    func repository(_ arguments: Arguments, _ context: Context, folder: String?) throws -> RepositoryOptions {
        var repository = RepositoryOptions(folder: folder)
        if let word = arguments.option("model-control") {
            guard let control = ModelControl(rawValue: word) else {
                throw UsageError("'--model-control' must be none, poll or explicit")
            }
            repository.control = control
        }
        repository.loadedAtStart = arguments.list("load-model") ?? []
        if let size = arguments.option("model-memory") {
            guard let bytes = ConfigurationMapping.bytes(of: size).flatMap({ Int(exactly: $0) }), bytes > 0 else {
                throw UsageError("'--model-memory' must be a size such as 512MiB or 2GiB")
            }
            repository.memoryBytes = bytes
        }
        if let text = arguments.option("python-workers") {
            guard let policy = ScalingPolicy(bounds: text) else {
                throw UsageError(
                    "'--python-workers' must be two numbers up to 64 such as 1:4, and 0:4 for none in between")
            }
            repository.processes = policy
        }
        let limits = try ModelCheck.limits(arguments)
        switch arguments.option("load-trial") ?? "on" {
        case "on": repository.trial = ModelCheck.trial(context, limits)
        case "off": break
        default: throw UsageError("'--load-trial' must be on or off")
        }
        let modelOptions = ModelCheck.options(limits)
        repository.load = { try ModelFolder.load(at: $0, options: modelOptions) }
        let json = arguments.flag("json")
        repository.onChange = { change in
            if let line = Self.line(change, json: json) { say(line) }
        }
        return repository
    }

    /// What is told of a model, on a line of its own; nil for nothing.
    private static func line(_ change: ModelChange, json: Bool) -> String? {
        let document: JSONValue
        let text: String
        switch change {
        case .loaded(let model, let seconds):
            document = [
                "model": .string(model.name), "version": .string(model.version),
                "platform": .string(model.model.platform), "inputs": .array(model.model.inputs.map(\.document)),
                "outputs": .array(model.model.outputs.map(\.document)), "seconds": .number(seconds),
            ]
            let milliseconds = Int((seconds * 1000).rounded())
            text =
                "\(model.name)/\(model.version) (\(model.model.platform), \(milliseconds) ms): "
                + "\(Self.text(model.model.inputs)) -> \(Self.text(model.model.outputs))"
        case .failed(let name, let version, let reason):
            document = ["model": .string(name), "version": .string(version), "error": .string(reason)]
            text = "\(name)\(version.isEmpty ? "" : "/\(version)") does not load: \(reason)"
        case .unloaded(let name, let version):
            document = ["model": .string(name), "version": .string(version), "unloaded": true]
            text = "\(name)/\(version) was unloaded"
        case .warning(let name, let warning):
            document = ["model": .string(name), "warning": .string(warning)]
            text = "\(name): \(warning)"
        }
        return json ? try? JSON.string(document) : text
    }

    private static func text(_ specs: [TensorSpec]) -> String {
        specs.map { "\($0.name) \($0.datatype.rawValue)\($0.shape)" }.joined(separator: ", ")
    }
}
