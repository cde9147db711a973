import Basics
import Configuration
import Foundation

/// How models are loaded from files.
public struct ModelOptions: Sendable {
    public var onnx = ONNXOptions()
    public var python = PythonOptions()
    /// How many threads will ask for single rows at once, of models that keep a place for each.
    public var slots = 1
    /// Bytes of the largest file that is read.
    public var bytesMax = 8 << 30

    public init() {}
}

/// Model files as people have them, loaded by what they are.
///
/// - `NAME.onnx`, with its weights in files beside it if it has such;
/// - `NAME.txt`, a LightGBM model text;
/// - `NAME.json` or `NAME.ubj`, an XGBoost model;
/// - a folder with an `MLmodel` file, as MLflow writes it: the flavours `onnx`, `lightgbm` and `xgboost` are run natively, and
///   any other by a Python process;
/// - a folder with one of these files, as in a Triton repository's version.
public enum ModelFolder {
    /// Names of files that hold a model, by how they end.
    public static let endings = ["onnx", "txt", "json", "ubj"]

    /// - Parameter path: a file, or a folder.
    /// - Throws: ``InferenceError`` where there is none, it is of an unknown kind, or the runtime refuses it.
    public static func load(at path: String, options: ModelOptions = ModelOptions()) throws -> any TensorModel {
        switch try find(at: path) {
        case .onnx(let file):
            return try ONNXModel(
                file: try read(file, options), options: options.onnx, weights: weights(of: file, options))
        case .lightGBM(let file):
            let text = try read(file, options)
            return rows(try LightGBMModel(text: text, slots: options.slots), byteCount: text.count)
        case .xgBoost(let file):
            let bytes = try read(file, options)
            return rows(try XGBoostModel(file: bytes, slots: options.slots), byteCount: bytes.count)
        case .python(let folder): return try PythonModel(folder: folder, options: options.python)
        }
    }

    /// What lies at a path, and by what it is run.
    enum Found: Equatable {
        case onnx(String)
        case lightGBM(String)
        case xgBoost(String)
        case python(folder: String)
    }

    static func find(at path: String) throws -> Found {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw InferenceError(.notFound, "there is no model file or folder \(path)", remedy: "Check the path")
        }
        guard isFolder.boolValue else { return try kind(of: path) }
        if FileManager.default.fileExists(atPath: path + "/MLmodel") {
            return try MLflowModel(folder: path).find()
        }
        let found = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted().filter {
            endings.contains(ending(of: $0)) && !$0.hasPrefix(".")
        }
        guard let name = found.first(where: { $0.hasPrefix("model.") }) ?? found.first,
            found.count == 1 || name.hasPrefix("model.")
        else {
            throw InferenceError(
                .invalidArgument,
                "the folder \(path) holds \(found.isEmpty ? "no model file" : "several: \(found.joined(separator: ", "))")",
                remedy: "Keep one file model.onnx, model.txt, model.json or model.ubj in it, or an MLflow model")
        }
        return try kind(of: "\(path)/\(name)")
    }

    /// Loads a model that is run by this process, and asks it once, to see that it can be; blocks.
    ///
    /// - Returns: the model; nil where a process of its own would run it, which needs no trial.
    /// - Throws: ``InferenceError`` as ``load(at:options:)``, and where no memory is left for a row.
    public static func tryOut(at path: String, options: ModelOptions = ModelOptions()) throws -> (any TensorModel)? {
        if case .python = try find(at: path) { return nil }
        let model = try load(at: path, options: options)
        // Zeros need not be what a model takes; that it comes back from them is what counts.
        do { _ = try model.runOnZeros() } catch let error as InferenceError
            where ModelTrial.tellsOfMemory(error.message)
        {
            throw error
        } catch {}
        return model
    }

    /// The digest of all files that a model is made of, those beside an ONNX file that hold its weights among them.
    ///
    /// One file's own; of several, that of the list of their names with their digests.
    /// - Throws: ``InferenceError`` where a file can not be read.
    public static func digest(at path: String, options: ModelOptions = ModelOptions()) throws -> Digest {
        var files: [String: Digest] = [:]
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            for name in FileManager.default.enumerator(atPath: path)?.compactMap({ $0 as? String }) ?? [] {
                let file = "\(path)/\(name)"
                guard FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), !isFolder.boolValue,
                    !name.contains("__pycache__")
                else { continue }
                files[name] = Digest(of: try read(file, options))
            }
        } else {
            // The file's own name tells nothing; those of its weights stand in it.
            files = try contents(of: path, options: options).mapValues { Digest(of: $0) }
            if let only = files[""], files.count == 1 { return only }
        }
        return Digest(of: try JSON.canonical(files))
    }

    /// A model file, under an empty name, and the files beside it that hold its weights, by their names.
    /// - Throws: ``InferenceError`` where one can not be read.
    public static func contents(of path: String, options: ModelOptions = ModelOptions()) throws -> [String: [UInt8]] {
        let bytes = try read(path, options)
        var files = ["": bytes]
        guard ending(of: path) == "onnx" else { return files }
        let folder = (path as NSString).deletingLastPathComponent
        for name in try ONNXFile.weightFiles(of: bytes) {
            files[name] = try read(folder.isEmpty ? name : "\(folder)/\(name)", options)
        }
        return files
    }

    static func ending(of name: String) -> String { (name as NSString).pathExtension.lowercased() }

    private static func kind(of path: String) throws -> Found {
        switch ending(of: path) {
        case "onnx": return .onnx(path)
        case "txt": return .lightGBM(path)
        case "json", "ubj": return .xgBoost(path)
        default:
            throw InferenceError(
                .invalidArgument, "\(path) is of no known kind of model",
                remedy: "Name it .onnx, .txt (LightGBM), .json or .ubj (XGBoost), or give an MLflow model's folder")
        }
    }

    /// Gives the files that lie beside an ONNX model, by their plain names.
    static func weights(of path: String, _ options: ModelOptions) -> (String) throws -> [UInt8]? {
        let folder = (path as NSString).deletingLastPathComponent
        return { name in
            let beside = folder.isEmpty ? name : "\(folder)/\(name)"
            // A link could lead out of the folder.
            let kind = try? FileManager.default.attributesOfItem(atPath: beside)[.type] as? FileAttributeType
            return kind == .typeRegular ? try read(beside, options) : nil
        }
    }

    static func rows(_ model: LightGBMModel, byteCount: Int) -> RowsAsTensors {
        RowsAsTensors(model, platform: "lightgbm", byteCount: byteCount)
    }

    static func rows(_ model: XGBoostModel, byteCount: Int) -> RowsAsTensors {
        RowsAsTensors(model, platform: "xgboost", byteCount: byteCount, datatype: .fp32)
    }

    static func read(_ path: String, _ options: ModelOptions) throws -> [UInt8] {
        let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        guard let size else {
            throw InferenceError(.notFound, "there is no file \(path)", remedy: "Check the path and its permissions")
        }
        guard size <= options.bytesMax else {
            throw InferenceError(
                .resourceExhausted, "\(path) has \(size) bytes; at most \(options.bytesMax) are read",
                remedy: "Raise the limit, or make the model smaller")
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InferenceError(.permissionDenied, "\(path) can not be read", remedy: "Check its permissions")
        }
        return [UInt8](data)
    }
}
