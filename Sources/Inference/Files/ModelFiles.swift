import Basics
import Foundation

/// A model that needs no Python, as the files it is made of: what can be carried to where it runs.
public struct ModelFiles: Sendable {
    /// The library that runs it.
    public enum Runtime: String, Sendable, Codable, CaseIterable {
        case onnxRuntime = "onnxruntime"
        case lightGBM = "lightgbm"
        case xgBoost = "xgboost"
    }

    public let runtime: Runtime
    /// The model itself among the files: `model.onnx`, `model.txt`, `model.json` or `model.ubj`.
    public let main: String
    /// The model and the files its weights are in, by their plain names.
    public let files: [String: [UInt8]]

    /// Reads what ``ModelFolder`` loads of the same path; blocks.
    /// - Throws: ``InferenceError`` where there is no model, or Python runs it.
    public init(path: String, options: ModelOptions = ModelOptions()) throws {
        switch try ModelFolder.find(at: path) {
        case .onnx(let file):
            let beside = ModelFolder.weights(of: file, options)
            try self.init(onnx: try ModelFolder.read(file, options)) { try beside($0) }
        case .lightGBM(let file):
            self.init(runtime: .lightGBM, main: "model.txt", bytes: try ModelFolder.read(file, options))
        case .xgBoost(let file):
            let main = "model.\(ModelFolder.ending(of: file))"
            self.init(runtime: .xgBoost, main: main, bytes: try ModelFolder.read(file, options))
        case .python(let folder):
            throw InferenceError(
                .failedPrecondition, "the model \(folder) is run by Python, and can not go where there is none",
                remedy: "Save it as ONNX, LightGBM or XGBoost")
        }
    }

    /// An ONNX model, which also tells the files its weights are in.
    /// - Parameter weights: gives such a file; nil where there is none.
    /// - Throws: ``InferenceError`` where the file is damaged, or weights are missing.
    public init(onnx file: [UInt8], weights: (String) throws -> [UInt8]? = { _ in nil }) throws {
        var files = ["model.onnx": file]
        for name in try file.withUnsafeBytes({ try ONNXFile(checking: $0) }).weightFiles {
            guard let bytes = try weights(name), files.updateValue(bytes, forKey: name) == nil else {
                throw InferenceError.modelFile(
                    "ONNX", "its weights are in the file '\(name)', which is not beside it",
                    remedy: "Put the file into the model's folder, or save the model with its weights in it")
            }
        }
        self.init(runtime: .onnxRuntime, main: "model.onnx", files: files)
    }

    /// The model of a bundle.
    /// - Throws: ``InferenceError`` for a kind that is none of these, or files that are missing.
    public init(_ bundle: LoadedModel) throws {
        let files = bundle.files
        switch bundle.manifest.kind {
        case ONNXRuntime().kind: try self.init(onnx: files[ONNXRuntime.modelPath] ?? []) { files[$0] }
        case LightGBMRuntime().kind:
            self.init(runtime: .lightGBM, main: "model.txt", bytes: files[LightGBMRuntime.modelPath] ?? [])
        case XGBoostRuntime().kind:
            let main = XGBoostRuntime.modelPaths.first { files[$0] != nil } ?? "model.json"
            self.init(runtime: .xgBoost, main: main, bytes: files[main] ?? [])
        default:
            throw InferenceError(
                .failedPrecondition, "a bundle of kind '\(bundle.manifest.kind)' runs only in its own process",
                remedy: "Save the model as ONNX, LightGBM or XGBoost")
        }
    }

    private init(runtime: Runtime, main: String, bytes: [UInt8]) {
        self.init(runtime: runtime, main: main, files: [main: bytes])
    }

    private init(runtime: Runtime, main: String, files: [String: [UInt8]]) {
        self.runtime = runtime
        self.main = main
        self.files = files
    }

    /// Bytes of all files.
    public var byteCount: Int { files.values.reduce(0) { $0 + $1.count } }

    /// Loads the model; blocks.
    /// - Throws: ``InferenceError`` where the runtime refuses it.
    public func load() throws -> any TensorModel {
        let file = files[main] ?? []
        switch runtime {
        case .onnxRuntime: return try ONNXModel(file: file) { files[$0] }
        case .lightGBM: return ModelFolder.rows(try LightGBMModel(text: file), byteCount: file.count)
        case .xgBoost: return ModelFolder.rows(try XGBoostModel(file: file), byteCount: file.count)
        }
    }
}
