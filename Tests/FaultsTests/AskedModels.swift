import Basics
import Foundation
import Inference
import TestSupport

/// The folder of models that a storm's callers ask, and what each of them should say.
struct AskedModels: Sendable {
    /// One of them.
    enum Name: String, CaseIterable, Sendable {
        case mlp, trees, python

        var input: String {
            switch self {
            case .mlp, .python: "x"
            case .trees: "input__0"
            }
        }

        var output: String {
            switch self {
            case .mlp: "probabilities"
            case .trees: "output__0"
            case .python: "y"
            }
        }

        var type: TensorType { self == .mlp ? .fp32 : .fp64 }

        var shape: [Int] {
            switch self {
            case .mlp: [1, 12]
            case .trees: [1, 5]
            case .python: [1, 1]
            }
        }
    }

    let path: String
    let names: [Name]
    private let mlp: any TensorModel
    private let trees: any TensorModel

    /// Writes the models into a folder. The one of Python answers twice its number, after a few milliseconds.
    init(_ names: [Name], in folder: TemporaryFolder) throws {
        self.names = names
        path = folder("models")
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("InferenceTests/Fixtures").path
        mlp = try ModelFolder.load(at: "\(fixtures)/mlp.onnx")
        trees = try ModelFolder.load(at: "\(fixtures)/lightgbm/binary.txt")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for name in names {
            switch name {
            case .mlp: try FileManager.default.copyItem(atPath: "\(fixtures)/mlp.onnx", toPath: "\(path)/mlp.onnx")
            case .trees:
                try FileManager.default.copyItem(
                    atPath: "\(fixtures)/lightgbm/binary.txt", toPath: "\(path)/trees.txt")
            case .python: try Self.writePython(to: folder)
            }
        }
    }

    private static func writePython(to folder: TemporaryFolder) throws {
        try folder.write(
            """
            flavors:
              python_function:
                code: code
                loader_module: doubling
                python_version: 3.11.2
            mlflow_version: 3.17.2
            model_uuid: 6a1f4b1c7d5e4f2f9a3c2b1d0e9f8a7d
            signature:
              inputs: '[{"type": "double", "name": "x", "required": true}]'
              outputs: '[{"type": "double", "name": "y", "required": true}]'
              params: null
            """, to: "models/python/MLmodel")
        try folder.write(
            """
            import time

            class Model:
                def predict(self, table, params=None):
                    time.sleep(0.003)
                    return table.assign(y=2 * table["x"])[["y"]]

            def _load_pyfunc(path):
                return Model()
            """, to: "models/python/code/doubling.py")
    }

    /// The Python that has MLflow; `scripts/setup-wheels serving` installs it.
    static let python =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../../.deps/serving/bin/python"

    /// What a model says of numbers, by the runtimes of this process.
    func answer(_ name: Name, to numbers: [Double]) throws -> [Double] {
        switch name {
        case .mlp:
            let input = try Tensor(.fp32, shape: name.shape, values: numbers.map { Float($0) })
            return (try mlp.run([input], wanted: [0]).first?.values(as: Float.self) ?? []).map { Double($0) }
        case .trees:
            let input = try Tensor(.fp64, shape: name.shape, values: numbers)
            return try trees.run([input], wanted: [0]).first?.values(as: Double.self) ?? []
        case .python: return numbers.map { 2 * $0 }
        }
    }
}
