import Basics
import Foundation
import Inference

/// Makes a version of a model file, without a run: `modelworks models register NAME FILE`.
struct ModelRegistration {
    static let options: [Usage.Option] = [
        .init(
            name: "features", value: "LIST", help: "register: names of the columns, in order (default: the file's own)")
    ]

    /// What a version is made of.
    struct Source: Sendable {
        let kind: String
        let files: [String: [UInt8]]
        /// Names that the file knows; empty where it knows none.
        let names: [String]
    }

    let name: String
    let path: String
    let features: [String]
    let reason: String

    init(_ arguments: Arguments, _ context: Context) {
        name = arguments.required(1)
        path = context.absolute(arguments.required(2))
        features = arguments.list("features") ?? []
        reason = arguments.option("reason") ?? "registered from \((path as NSString).lastPathComponent)"
    }

    /// - Throws: `InferenceError` where the file is no model of rows, a ``CommandFailure`` where names do not fit it.
    func run(_ client: Client, _ context: Context) async throws -> Output {
        // It is loaded elsewhere first: what is wrong with it may end the process that does.
        let (path, features) = (path, features)
        let trial = ModelCheck.trial(context, ModelTrial.Limits())
        let (bundle, files) = try await BlockingThread(name: "register").run {
            try trial.run(at: path)
            return try Self.bundle(try Self.source(path), features)
        }
        for bytes in Array(files.values) + [bundle.manifestBytes] { _ = try await client.put(bytes) }
        let version = try await client.post(
            "/models/\(Client.escape(name))/versions",
            ["bundle": bundle.digest.description, "reason": reason] as [String: String], as: JSONValue.self)
        let number = version.at("id.version")?.cell ?? ""
        let columns = bundle.manifest.signature.inputs.map(\.name).joined(separator: ", ")
        return Output(document: version, text: "\(name)/\(number) is registered. It takes \(columns).")
    }

    /// The files of a model as its runtime wants them in a bundle.
    static func source(_ path: String) throws -> Source {
        let bytes = try ModelFolder.contents(of: path)
        switch (path as NSString).pathExtension.lowercased() {
        case "onnx":
            return Source(kind: "onnx", files: bytes, names: [])
        case "txt":
            let text = bytes[""] ?? []
            return Source(
                kind: "lightgbm", files: [LightGBMRuntime.modelPath: text],
                names: try LightGBMModel(text: text).featureNames)
        case let ending where ending == "json" || ending == "ubj":
            let file = bytes[""] ?? []
            return Source(
                kind: "xgboost", files: ["model.\(ending)": file], names: try XGBoostModel(file: file).featureNames)
        default:
            throw CommandFailure(
                .invalidArgument, "\(path) is of no kind that a bundle can hold",
                remedy: "Name a file .onnx, .txt (LightGBM), .json or .ubj (XGBoost); others go by MLflow's client.")
        }
    }

    private static func bundle(
        _ source: Source, _ features: [String]
    ) throws -> (ModelBundle.Encoded, [String: [UInt8]]) {
        var files = source.files
        if let main = files.removeValue(forKey: "") { files[ONNXRuntime.modelPath] = main }
        let model = try ModelRuntimes.all.runtime(for: source.kind).load(files: files, slots: 1)
        var names = features.isEmpty ? source.names : features
        if names.isEmpty { names = (0..<model.inputCount).map { "x\($0)" } }
        guard names.count == model.inputCount, Set(names).count == names.count else {
            throw CommandFailure(
                .invalidArgument, "the model takes \(model.inputCount) columns, and \(names.count) names were given",
                remedy: "Give each column a name of its own by --features.")
        }
        func columns(_ names: [String]) -> [SignatureColumn] {
            names.map { SignatureColumn(name: $0, datatype: .fp64, nullable: true) }
        }
        let outputs = model.outputCount == 1 ? ["score"] : (0..<model.outputCount).map { "score_\($0)" }
        let rows = [0, 1].map { [Double](repeating: $0, count: model.inputCount) }
        return (
            try ModelBundle.encode(
                kind: source.kind, files: files,
                signature: ModelSignature(inputs: columns(names), outputs: columns(outputs)), sampleRows: rows,
                runtimes: .all), files
        )
    }
}
