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

    /// The flavour it is run by.
    func find() throws -> ModelFolder.Found {
        if let onnx = try flavors.node("onnx")?.mapping() {
            return .onnx(try inside(try onnx.optionalString("data") ?? "model.onnx"))
        }
        if let lightGBM = try flavors.node("lightgbm")?.mapping() {
            let data = try lightGBM.optionalString("data") ?? "model.lgb"
            // A wrapper of scikit-learn's kind is a pickle, which only Python reads.
            if ModelFolder.ending(of: data) != "pkl" { return .lightGBM(try inside(data)) }
        }
        if let xgBoost = try flavors.node("xgboost")?.mapping() {
            let data = try xgBoost.optionalString("data") ?? "model.ubj"
            if ["json", "ubj"].contains(ModelFolder.ending(of: data)), try isBooster(xgBoost) {
                return .xgBoost(try inside(data))
            }
        }
        guard flavors.node("python_function") != nil else {
            throw InferenceError.modelFile(
                "MLflow", "none of its flavours can be run: \(flavors.entries.map(\.key).joined(separator: ", "))",
                remedy: "Save it as ONNX, LightGBM, XGBoost or with a python_function")
        }
        return .python(folder: folder)
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
