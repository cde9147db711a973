/// Reads the fields of a message in the wire format of Protocol Buffers, one after the other.
///
/// The format: https://protobuf.dev/programming-guides/encoding. Groups, which nobody writes any more, are refused.
struct ProtobufReader {
    /// A value before its type is known.
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The number and the value of the next field; nil at the end.
    /// - Throws: ``MLflowFailure/invalid(_:)`` where the bytes are no message.
    mutating func next() throws -> (number: Int, value: Value)? {
        guard !rest.isEmpty else { return nil }
        let tag = try varint()
        guard let number = Int(exactly: tag >> 3), number > 0 else { throw Self.refusal }
        switch tag & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try fixed(8)))
        case 2:
            guard let length = Int(exactly: try varint()), length <= rest.count else { throw Self.refusal }
            defer { rest = rest.dropFirst(length) }
            return (number, .bytes(rest.prefix(length)))
        case 5: return (number, .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
        default: throw Self.refusal
        }
    }

    static let refusal = MLflowFailure.invalid("Invalid OpenTelemetry format: the body is no Protocol Buffers message")

    /// At most ten bytes of seven bits, the lowest first.
    private mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { break }
            value |= UInt64(byte & 127) << shift
            if byte < 128 { return value }
        }
        throw Self.refusal
    }

    private mutating func fixed(_ count: Int) throws -> UInt64 {
        guard rest.count >= count else { throw Self.refusal }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
