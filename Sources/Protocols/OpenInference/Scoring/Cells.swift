import Basics
import CSimdJSON
import Foundation
import Inference

/// A value as JSON or a table has it, before a model says which type it is to be of.
enum Cell: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Only above the largest `Int64`.
    case unsigned(UInt64)
    case number(Double)
    case bytes([UInt8])

    /// What it is called in an error.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a truth value"
        case .integer, .unsigned: "a whole number"
        case .number: "a number"
        case .bytes: "a text"
        }
    }
}

/// Values with a shape, row-major.
struct Cells: Sendable {
    var shape: [Int]
    var values: [Cell]

    /// One dimension.
    init(_ values: [Cell]) {
        shape = [values.count]
        self.values = values
    }

    /// A scalar, or arrays within arrays.
    /// - Parameter name: what it is called in an error.
    /// - Throws: ``ScoringFailure`` where arrays beside each other differ in length, or hold objects.
    init(_ node: JSONNode, name: String) throws {
        shape = []
        values = []
        try append(node, depth: 0, name)
    }

    /// Rows, each a scalar or arrays within arrays.
    init(rows: [JSONNode], name: String) throws {
        shape = [rows.count]
        values = []
        values.reserveCapacity(rows.count)
        for row in rows { try append(row, depth: 1, name) }
    }

    private mutating func append(_ node: JSONNode, depth: Int, _ name: String) throws {
        if node.isArray {
            let children = node.children
            if depth == shape.count {
                // A value before it that was no array has fixed the depth already.
                guard values.isEmpty else { throw ScoringFailure.ragged("'\(name)'") }
                shape.append(children.count)
            }
            guard shape[depth] == children.count else { throw ScoringFailure.ragged("'\(name)'") }
            for child in children { try append(child, depth: depth + 1, name) }
        } else {
            guard depth == shape.count else { throw ScoringFailure.ragged("'\(name)'") }
            values.append(try Self.cell(node, name))
        }
    }

    private static func cell(_ node: JSONNode, _ name: String) throws -> Cell {
        let value = node.value
        switch value.kind {
        case MW_VALUE_NULL: return .null
        case MW_VALUE_BOOL: return .bool(value.boolean)
        case MW_VALUE_INT64: return .integer(value.int64)
        case MW_VALUE_UINT64: return .unsigned(value.uint64)
        case MW_VALUE_DOUBLE: return .number(value.number)
        case MW_VALUE_TEXT: return .bytes([UInt8](value.text.bytes))
        default:
            // How TensorFlow Serving has bytes that are no text.
            guard node.isBase64, let text = node.member("b64")?.text, let data = Data(base64Encoded: text) else {
                throw ScoringFailure.wrongShape("'\(name)' holds an object where a value is wanted")
            }
            return .bytes([UInt8](data))
        }
    }

    /// As a tensor of an input. A dimension of one is added or left out at the end where that makes it fit.
    /// - Throws: ``ScoringFailure`` where a value is of another type; `InferenceError` where the shape does not fit.
    func tensor(for spec: TensorSpec) throws -> Tensor {
        func fits(_ shape: [Int]) -> Bool {
            shape.count == spec.shape.count && zip(spec.shape, shape).allSatisfy { $0 < 0 || $0 == $1 }
        }
        var shape = shape
        if !fits(shape) {
            if fits(shape + [1]) {
                shape.append(1)
            } else if shape.last == 1, fits(shape.dropLast()) {
                shape.removeLast()
            }
        }
        let tensor = try Tensor(
            type: spec.datatype, shape: shape, storage: CellPacker(input: spec.name, type: spec.datatype).pack(values))
        try spec.check(tensor)
        return tensor
    }
}

extension JSONNode {
    /// Whether it is `{"b64": "..."}`.
    var isBase64: Bool { isObject && children.count == 1 && member("b64") != nil }
}
