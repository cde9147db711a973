import Basics
import Configuration
import Foundation

/// An MLflow model's folder: its `MLmodel` file tells which flavours the model can be used as.
struct MLflowModel {
    let folder: String
    let flavors: ConfigurationMapping

    /// - Throws: ``InferenceError`` or `ConfigurationFailure` where the file is not there or is no `MLmodel`.
    init(folder: String) throws {
        let path = folder + "/MLmodel"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InferenceError(.notFound, "there is no file \(path)", remedy: "Check the path and its permissions")
        }
        guard let document = try YAMLParser.parse(String(decoding: data, as: UTF8.self), file: path).first else {
            throw InferenceError.modelFile("MLflow", "its MLmodel is empty")
        }
        self.folder = folder
        flavors = try document.mapping().required("flavors").mapping()
    }

    /// Whether this process runs it, and no Python.
    var isNative: Bool { get throws { try native() != nil } }

    func load(_ options: ModelOptions) throws -> any TensorModel {
        if let load = try native() { return try load(options) }
        guard flavors.node("python_function") != nil else {
            throw InferenceError.modelFile(
                "MLflow", "none of its flavours can be run: \(flavors.entries.map(\.key).joined(separator: ", "))",
                remedy: "Save it as ONNX, LightGBM, XGBoost or with a python_function")
        }
        return try PythonModel(folder: folder, options: options.python)
    }

    /// What loads the flavour that a library of this process can run; nil where there is none.
    private func native() throws -> ((ModelOptions) throws -> any TensorModel)? {
        if let onnx = try flavors.node("onnx")?.mapping() {
            let file = try inside(try onnx.optionalString("data") ?? "model.onnx")
            return { try ModelFolder.onnx(file, $0) }
        }
        if let lightGBM = try flavors.node("lightgbm")?.mapping() {
            let data = try lightGBM.optionalString("data") ?? "model.lgb"
            // A wrapper of scikit-learn's kind is a pickle, which only Python reads.
            if ModelFolder.ending(of: data) != "pkl", case let file = try inside(data) {
                return { try ModelFolder.lightGBM(file, $0) }
            }
        }
        if let xgBoost = try flavors.node("xgboost")?.mapping() {
            let data = try xgBoost.optionalString("data") ?? "model.ubj"
            if ["json", "ubj"].contains(ModelFolder.ending(of: data)), try isBooster(xgBoost) {
                let file = try inside(data)
                return { try ModelFolder.xgBoost(file, $0) }
            }
        }
        return nil
    }

    /// Whether the flavour holds a bare booster: scikit-learn's wrapper answers with classes, which only Python does.
    private func isBooster(_ flavor: ConfigurationMapping) throws -> Bool {
        guard let name = try flavor.optionalString("model_class") else { return true }
        return name.hasSuffix(".Booster")
    }

    /// A path that the file names, inside the folder.
    func inside(_ name: String) throws -> String {
        guard BundleManifest.isInside(name) else {
            throw InferenceError.modelFile("MLflow", "'\(name)' leads out of its folder")
        }
        return "\(folder)/\(name)"
    }
}
