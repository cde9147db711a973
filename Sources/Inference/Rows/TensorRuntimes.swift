/// Loads bundles of kind `onnx`: `model.onnx`, and beside it the files its weights are in.
public struct ONNXRuntime: ModelRuntime {
    /// Where the model lies in a bundle.
    public static let modelPath = "model.onnx"

    public let kind = "onnx"
    public let options: ONNXOptions

    public init(options: ONNXOptions = ONNXOptions()) { self.options = options }

    public func load(files: [String: [UInt8]], slots: Int) throws -> any Model {
        guard let file = files[ONNXRuntime.modelPath] else {
            throw InferenceError.manifest("a bundle of kind 'onnx' has to hold the file '\(ONNXRuntime.modelPath)'")
        }
        return try TensorsAsRows(try ONNXModel(file: file, options: options) { files[$0] }, slots: slots)
    }
}

/// Loads bundles of kind `xgboost`: `model.ubj` or `model.json`.
public struct XGBoostRuntime: ModelRuntime {
    /// Where the model lies in a bundle: one of these.
    public static let modelPaths = ["model.ubj", "model.json"]

    public let kind = "xgboost"

    public init() {}

    public func load(files: [String: [UInt8]], slots: Int) throws -> any Model {
        guard let file = XGBoostRuntime.modelPaths.lazy.compactMap({ files[$0] }).first else {
            throw InferenceError.manifest(
                "a bundle of kind 'xgboost' has to hold the file '\(XGBoostRuntime.modelPaths.joined(separator: "' or '"))'"
            )
        }
        return try XGBoostModel(file: file, slots: slots)
    }
}

extension ModelRuntimes {
    /// Every runtime of this program.
    public static var all: ModelRuntimes { ModelRuntimes([LightGBMRuntime(), ONNXRuntime(), XGBoostRuntime()]) }
}
