import Basics
import Foundation
import Testing

@testable import Inference

/// Damaged files, in this process: each is refused with an error or loaded, and what is loaded is asked. The seed is told.
@Suite(.serialized) struct ModelFileFuzzTests {
    private static let files = [
        "mlp.onnx", "classes.onnx", "product.onnx", "xgboost/binary.json", "xgboost/classes.ubj", "xgboost/dart.ubj",
        "xgboost/categories.json", "xgboost/linear.json", "lightgbm/binary.txt", "lightgbm/classes.txt",
    ]

    @Test(arguments: files) func damagedFilesAreRefusedOrServed(_ file: String) throws {
        let seed = ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) } ?? 1
        let rounds = ProcessInfo.processInfo.environment["MODELWORKS_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 60
        let random = SeededRandom(seed: seed)
        func below(_ limit: Int) -> Int { Int(random.next() % UInt64(max(1, limit))) }
        let whole = try ModelAnswers.bytes(file)
        var loaded = 0
        var refused = 0
        for round in 0..<rounds {
            var bytes = whole
            switch round % 4 {
            case 0: bytes.removeLast(1 + below(bytes.count))
            case 1: for _ in 0...below(4) { bytes[below(bytes.count)] ^= 1 << UInt8(below(8)) }
            case 2: for _ in 0...below(3) { bytes[below(bytes.count)] = UInt8(below(256)) }
            default:
                // A digit or a byte of a number becomes another: files that stay well formed.
                let digits = bytes.indices.filter { (0x30...0x39).contains(bytes[$0]) }
                if let place = digits.isEmpty ? nil : digits[below(digits.count)] {
                    bytes[place] = UInt8(0x30 + below(10))
                }
            }
            do {
                let model = try Self.load(bytes, file)
                loaded += 1
                try Self.ask(model)
            } catch is any Failure {
                refused += 1
            }
        }
        #expect(loaded + refused >= rounds, "seed \(seed)")
        #expect(refused > 0)
    }

    private static func load(_ bytes: [UInt8], _ file: String) throws -> any TensorModel {
        switch ModelFolder.ending(of: file) {
        case "onnx": return try ONNXModel(file: bytes)
        case "txt": return RowsAsTensors(try LightGBMModel(text: bytes), platform: "lightgbm", byteCount: bytes.count)
        default: return RowsAsTensors(try XGBoostModel(file: bytes), platform: "xgboost", byteCount: bytes.count)
        }
    }

    private static func ask(_ model: any TensorModel) throws {
        for rows in [1, 3] {
            let inputs = try model.inputs.map { spec in
                let shape = spec.shape.enumerated().map { $1 < 0 ? ($0 == 0 ? rows : 2) : $1 }
                let count = try #require(Tensor.count(of: shape))
                guard count < 1 << 20 else { throw InferenceError.shape("\(shape) is too large to be tried") }
                let size = spec.datatype.elementBytes ?? 0
                guard spec.datatype != .bytes else {
                    return try Tensor(shape: shape, strings: [[UInt8]](repeating: [65], count: count))
                }
                return try Tensor(
                    type: spec.datatype, shape: shape,
                    storage: TensorStorage(copying: [UInt8](repeating: 0, count: count * size)))
            }
            _ = try model.run(inputs, wanted: Array(model.outputs.indices))
        }
    }
}

extension TensorStorage {
    fileprivate convenience init(copying bytes: [UInt8]) {
        self.init(count: bytes.count) { $0.copyBytes(from: bytes) }
    }
}
