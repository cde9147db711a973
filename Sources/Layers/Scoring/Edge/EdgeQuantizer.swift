import Basics
import Foundation
import Inference

/// Makes an ONNX model's numbers 8-bit, by the quantizer of ONNX Runtime in Python.
struct EdgeQuantizer: Sendable {
    /// What the script is told.
    private struct Order: Encodable {
        struct Input: Encodable {
            let name: String
            let file: String
            let datatype: TensorType
            let shape: [Int]
        }

        let model: String
        let out: String
        let method: EdgeQuantization
        let examples: [Input]
    }

    let python: String
    /// Where it may write.
    let folder: String

    /// - Parameter examples: one tensor for each input, of rows that show in which ranges numbers lie; for ``EdgeQuantization/static``.
    /// - Throws: ``ScoringFailure/export(_:remedy:)``, `InferenceError`.
    func quantized(
        _ model: ModelFiles, _ method: EdgeQuantization, inputs: [TensorSpec], examples: [Tensor]
    ) throws -> ModelFiles {
        guard model.runtime == .onnxRuntime else {
            throw ScoringFailure.export(
                "a model of \(model.runtime.rawValue) has no weights to quantise: its trees compare",
                remedy: "Leave --int8 out")
        }
        for (name, bytes) in model.files { try write(bytes, name) }
        let out = "\(folder)/int8.onnx"
        let order = Order(
            model: "\(folder)/\(model.main)", out: out, method: method,
            examples: method == .dynamic
                ? []
                : try zip(inputs, examples).enumerated().map { index, pair in
                    try write(pair.1.withBytes { [UInt8]($0) }, "input\(index).bin")
                    return Order.Input(
                        name: pair.0.name, file: "\(folder)/input\(index).bin", datatype: pair.0.datatype,
                        shape: pair.1.shape)
                })
        try write(try JSON.canonical(order), "order.json")
        try write(PackageResources.quantize_onnx_py, "quantize.py")
        let outcome = try EdgeProgram(path: python).run(["\(folder)/quantize.py", "\(folder)/order.json"])
        guard outcome.status == 0, let bytes = FileManager.default.contents(atPath: out) else {
            throw ScoringFailure.export(
                "the model could not be quantised: \(outcome.end)",
                remedy: "Name with --python one that has onnx and onnxruntime: pip install onnx onnxruntime")
        }
        return try ModelFiles(onnx: [UInt8](bytes))
    }

    private func write(_ bytes: [UInt8], _ name: String) throws { try EdgeFolder.write(bytes, to: "\(folder)/\(name)") }
}
