import Basics

/// Tells constants apart by their bits: minus zero is not zero, and equal looking texts differ.
struct ConstantKey: Hashable {
    private let kind: UInt8
    private let bits: UInt64
    private let bytes: [UInt8]

    init(_ value: ScalarValue) {
        (kind, bits, bytes) =
            switch value {
            case .null: (0, 0, [])
            case .integer(let value): (1, UInt64(bitPattern: value), [])
            case .double(let value): (2, value.bitPattern, [])
            case .string(let text): (3, 0, Array(text.utf8))
            case .boolean(let value): (4, value ? 1 : 0, [])
            case .timestamp(let value): (5, UInt64(bitPattern: value.microseconds), [])
            }
    }
}
