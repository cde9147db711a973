import Basics
import Configuration
import Foundation
import Inference

/// Whether a model's files load within bounds, and what they hold: `modelworks models check FILE`.
struct ModelCheck {
    static let limitOptions: [Usage.Option] = [
        .init(name: "load-seconds", value: "N", help: "how long loading a model may take (default 60)"),
        .init(
            name: "load-memory", value: "SIZE",
            help: "what loading a model may take, and a file have (default half the memory, at most 8GiB)"),
    ]
    static let hereOption = Usage.Option(
        name: "here", value: nil, help: "check: in this process, which a bad model may end")

    let context: Context

    func run(_ arguments: Arguments) async throws -> Output {
        guard let path = arguments.positional(1) else {
            throw UsageError("'modelworks models check' needs a FILE or folder")
        }
        let limits = try Self.limits(arguments)
        let place = context.absolute(path)
        let (document, seconds) = try await BlockingThread(name: "check").run {
            let began = SystemTime.monotonicNanoseconds
            let document =
                arguments.flag("here")
                ? try Self.load(place, limits) : try Self.trial(context, limits).run(at: place)
            return (document, Double(SystemTime.monotonicNanoseconds &- began) / 1e9)
        }
        return Output(document: document, text: Self.text(document, seconds: seconds))
    }

    /// What a server has its models tried by: this program, in a process for each.
    static func trial(_ context: Context, _ limits: ModelTrial.Limits) -> ModelTrial {
        ModelTrial(
            command: [
                context.executable, "models", "check", "--here", "--json", "--load-seconds=\(limits.seconds)",
                "--load-memory=\(limits.memoryBytes >> 10)KiB", "--",
            ], limits: limits)
    }

    static func limits(_ arguments: Arguments) throws -> ModelTrial.Limits {
        var limits = ModelTrial.Limits()
        limits.seconds = try arguments.integer("load-seconds", default: limits.seconds, in: 1...86_400)
        if let size = arguments.option("load-memory") {
            guard let bytes = ConfigurationMapping.bytes(of: size).flatMap({ Int(exactly: $0) }), bytes > 0 else {
                throw UsageError("'--load-memory' must be a size such as 512MiB or 2GiB")
            }
            limits.memoryBytes = bytes
        }
        return limits
    }

    /// How a model is read within the bounds.
    static func options(_ limits: ModelTrial.Limits) -> ModelOptions {
        var options = ModelOptions()
        options.bytesMax = limits.memoryBytes
        return options
    }

    /// Loads a model in this process, which is bound for good.
    private static func load(_ path: String, _ limits: ModelTrial.Limits) throws -> JSONValue {
        limits.bindProcess()
        guard let model = try ModelFolder.tryOut(at: path, options: options(limits)) else {
            return ["platform": "python_function"]
        }
        return [
            "platform": .string(model.platform), "inputs": .array(model.inputs.map(\.document)),
            "outputs": .array(model.outputs.map(\.document)), "bytes": .integer(Int64(model.byteCount)),
        ]
    }

    private static func text(_ document: JSONValue, seconds: Double) -> String {
        func specs(_ key: String) -> String {
            (document[key]?.array ?? []).map { spec in
                let shape = (spec["shape"]?.array ?? []).map(\.cell).joined(separator: ", ")
                return "\(spec["name"]?.string ?? "") \(spec["datatype"]?.string ?? "")[\(shape)]"
            }.joined(separator: ", ")
        }
        let platform = document["platform"]?.string ?? ""
        guard document["inputs"] != nil else { return "\(platform): loaded by a Python process when it is served" }
        return "\(platform), \(Int((seconds * 1000).rounded())) ms: \(specs("inputs")) -> \(specs("outputs"))"
    }
}

extension TensorSpec {
    /// For people's programs.
    var document: JSONValue {
        [
            "name": .string(name), "datatype": .string(datatype.rawValue),
            "shape": .array(shape.map { .integer(Int64($0)) }),
        ]
    }
}
