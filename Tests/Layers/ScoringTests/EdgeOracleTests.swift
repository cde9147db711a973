import Basics
import Foundation
import Scoring
import TestSupport
import Testing

/// An exported folder answers as onnxruntime, LightGBM and XGBoost do in Python.
@Suite struct EdgeOracleTests {
    private struct Case: Decodable {
        struct Array: Decodable {
            var name: String
            var datatype: String
            var shape: [Int]
            var data: [JSONValue]

            /// The values as JSON has them: the file writes NaN, and whole numbers beyond 63 bits, as texts.
            var values: [JSONValue] {
                data.map { value in
                    guard let text = value.string, datatype != "BYTES" else { return value }
                    return text == "NaN" ? .null : .number(Double(text) ?? 0)
                }
            }

            /// The same as the text of a list, with every digit.
            var text: String {
                let parts = data.map { value -> String in
                    if let text = value.string, datatype != "BYTES" { return text == "NaN" ? "null" : text }
                    return (try? JSON.string(value)) ?? "null"
                }
                return "[\(parts.joined(separator: ","))]"
            }
        }

        var file: String
        var inputs: [Array]
        var outputs: [Array]
    }

    private static func cases() throws -> [Case] {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: ScoringBench.fixture("answers.json")))
        return try JSON.decode([Case].self, from: bytes)
    }

    @Test(
        "Answers are those of the libraries' own Python packages",
        arguments: [
            "mlp.onnx", "types.onnx", "scalar.onnx", "nonzero.onnx", "product.onnx", "centred.onnx", "fixed.onnx",
            "passing.onnx", "pipeline.onnx", "classes.onnx", "binary.onnx", "beside/model.onnx", "xgboost/binary.json",
            "xgboost/classes.ubj", "xgboost/class.json", "xgboost/regression.ubj", "xgboost/categories.json",
            "xgboost/dart.ubj", "xgboost/linear.json", "lightgbm/binary.txt", "lightgbm/classes.txt",
            "lightgbm/regression.txt",
        ])
    func oracle(file: String) async throws {
        let bench = try EdgeBench()
        try await bench.export(file)
        let manifest = try bench.manifest()
        for found in try Self.cases() where found.file == file {
            let inputs = zip(manifest.inputs, found.inputs).map { place, input in
                #"{"name":"\#(place.name)","datatype":"\#(input.datatype)","shape":\#(input.shape),"data":\#(input.text)}"#
            }
            let outcome = try bench.score(#"{"id":"q\"1","inputs":[\#(inputs.joined(separator: ","))]}"#)
            #expect(outcome.code == 0, "\(outcome.errors)")
            let answer = try #require(outcome.lines.first)
            #expect(answer["id"]?.string == "q\"1")
            let outputs = answer["outputs"]?.array ?? []
            #expect(outputs.count == found.outputs.count)
            for (actual, expected) in zip(outputs, found.outputs) {
                #expect(actual["datatype"]?.string == expected.datatype || file.contains("/"))
                let values = actual["data"]?.array ?? []
                #expect(values.count == expected.values.count)
                for (one, other) in zip(values, expected.values) {
                    if let one = one.double, let other = other.double {
                        #expect(abs(one - other) <= 1e-5 * max(1, abs(other)))
                    } else {
                        #expect(one == other)
                    }
                }
            }
        }
    }
}
