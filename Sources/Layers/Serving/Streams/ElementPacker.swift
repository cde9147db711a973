import Basics
import Inference

/// Writes values as elements of a tensor's type, little-endian.
struct ElementPacker {
    /// What the values are for, as problems name it.
    let name: String
    let type: TensorType

    var ragged: EventProblem { EventProblem("the lists in '\(name)' differ in length") }

    /// - Throws: ``EventProblem`` where the value is of another kind or out of range. Null is NaN, where the type has it.
    func append(_ value: JSONValue, to bytes: inout [UInt8]) throws(EventProblem) {
        switch type {
        case .fp64: write(try number(value).bitPattern, to: &bytes)
        case .fp32: write(Float(try number(value)).bitPattern, to: &bytes)
        case .fp16: write(Float16(try number(value)).bitPattern, to: &bytes)
        case .bf16: write(Self.brain(Float(try number(value))), to: &bytes)
        case .bool: bytes.append(try truth(value))
        case .int8: write(try whole(value, Int8.self), to: &bytes)
        case .int16: write(try whole(value, Int16.self), to: &bytes)
        case .int32: write(try whole(value, Int32.self), to: &bytes)
        case .int64: write(try whole(value, Int64.self), to: &bytes)
        case .uint8: write(try whole(value, UInt8.self), to: &bytes)
        case .uint16: write(try whole(value, UInt16.self), to: &bytes)
        case .uint32: write(try whole(value, UInt32.self), to: &bytes)
        case .uint64: write(try whole(value, UInt64.self), to: &bytes)
        case .bytes:
            guard case .string(let text) = value, let length = UInt32(exactly: text.utf8.count) else {
                throw wrong(value, "texts")
            }
            write(length, to: &bytes)
            bytes.append(contentsOf: text.utf8)
        }
    }

    private func write<Number: FixedWidthInteger>(_ number: Number, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private func number(_ value: JSONValue) throws(EventProblem) -> Double {
        switch value {
        case .null: .nan
        case .bool(let truth): truth ? 1 : 0
        case .integer(let number): Double(number)
        case .number(let number): number
        case .string, .array, .object: throw wrong(value, "numbers")
        }
    }

    private func truth(_ value: JSONValue) throws(EventProblem) -> UInt8 {
        switch value {
        case .bool(let truth): truth ? 1 : 0
        case .integer(0): 0
        case .integer(1): 1
        default: throw wrong(value, "truth values")
        }
    }

    private func whole<Number: FixedWidthInteger>(
        _ value: JSONValue, _ type: Number.Type
    ) throws(EventProblem) -> Number {
        let number: Number? =
            switch value {
            case .bool(let truth): truth ? 1 : 0
            case .integer(let number): Number(exactly: number)
            case .number(let number): Number(exactly: number)
            case .null, .string, .array, .object: nil
            }
        guard let number else { throw wrong(value, "whole numbers") }
        return number
    }

    private func wrong(_ value: JSONValue, _ wanted: String) -> EventProblem {
        let found =
            switch value {
            case .null: "null"
            case .bool: "a truth value"
            case .integer(let number): "\(number)"
            case .number(let number): "\(number)"
            case .string: "a text"
            case .array: "a list"
            case .object: "an object"
            }
        return EventProblem("'\(name)' takes \(wanted) of \(type.rawValue) and was given \(found)")
    }

    /// The nearest number of 8 bits of fraction, ties to even.
    private static func brain(_ value: Float) -> UInt16 {
        guard !value.isNaN else { return 0x7FC0 }
        let bits = value.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }
}
