import Basics
import Foundation

@testable import Inference

/// The small models of the folder `Fixtures`, and what the libraries' own Python packages answer for them; made by
/// `make_fixtures.py` there.
struct ModelAnswers {
    struct Case: Decodable {
        var file: String
        var inputs: [Values]
        var outputs: [Values]
        var contributions: Values?

    }

    struct Values: Decodable {
        var name: String
        var datatype: TensorType
        var shape: [Int]
        var data: [JSONValue]

        var tensor: Tensor {
            get throws {
                let numbers = data.map { $0.string == "NaN" ? Double.nan : $0.double ?? .nan }
                // A JSON number does not hold the largest ones.
                let integers = data.map { $0.string.flatMap(UInt64.init) ?? UInt64(bitPattern: $0.integer ?? 0) }
                switch datatype {
                case .bytes: return try Tensor(shape: shape, strings: data.map { Array(($0.string ?? "").utf8) })
                case .fp64: return try Tensor(datatype, shape: shape, values: numbers)
                case .fp32: return try Tensor(datatype, shape: shape, values: numbers.map { Float($0) })
                case .fp16, .bf16: return try Tensor(datatype, shape: shape, values: numbers.map { Float16($0) })
                case .bool:
                    return try Tensor(datatype, shape: shape, values: data.map { $0.bool == true ? UInt8(1) : 0 })
                case .int8, .uint8:
                    return try Tensor(datatype, shape: shape, values: integers.map { UInt8(truncatingIfNeeded: $0) })
                case .int16, .uint16:
                    return try Tensor(datatype, shape: shape, values: integers.map { UInt16(truncatingIfNeeded: $0) })
                case .int32, .uint32:
                    return try Tensor(datatype, shape: shape, values: integers.map { UInt32(truncatingIfNeeded: $0) })
                case .int64, .uint64: return try Tensor(datatype, shape: shape, values: integers)
                }
            }
        }
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Fixtures"

    static var cases: [Case] {
        get throws { try JSON.decode([Case].self, from: try bytes("answers.json")) }
    }

    static func bytes(_ file: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(file)")))
    }

    static func load(_ file: String) throws -> any TensorModel { try ModelFolder.load(at: "\(folder)/\(file)") }
}

extension Tensor {
    /// Whether both have the same type, shape and bits, all NaN being one.
    func isSame(as other: Tensor) -> Bool {
        guard type == other.type, shape == other.shape else { return false }
        if type == .fp32 {
            return zip(values(as: Float.self) ?? [], other.values(as: Float.self) ?? []).allSatisfy {
                $0.bitPattern == $1.bitPattern || $0.isNaN && $1.isNaN
            }
        }
        return withBytes { left in other.withBytes { left.elementsEqual($0) } }
    }
}
