/// The fields of one protobuf message, one after the other, with nothing copied.
///
/// Encoding: https://protobuf.dev/programming-guides/encoding. Groups, which no ONNX message has, are refused.
struct ProtobufFields {
    enum Value {
        case varint(UInt64)
        case bytes(UnsafeRawBufferPointer)
        /// Four or eight bytes.
        case fixed
    }

    private let message: UnsafeRawBufferPointer
    private var position = 0

    init(_ message: UnsafeRawBufferPointer) { self.message = message }

    /// The next field, nil at the end.
    ///
    /// - Throws: ``InferenceError`` where the bytes are no message.
    mutating func next() throws -> (number: UInt64, value: Value)? {
        guard position < message.count else { return nil }
        let key = try varint()
        let number = key >> 3
        guard number > 0 else { throw broken("a field has the number 0") }
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, try skip(8))
        case 2:
            let length = try varint()
            guard let count = Int(exactly: length), count <= message.count - position else {
                throw broken("it ends within a field")
            }
            defer { position += count }
            return (number, .bytes(UnsafeRawBufferPointer(rebasing: message[position..<position + count])))
        case 5: return (number, try skip(4))
        default: throw broken("a field has an unknown form")
        }
    }

    private mutating func skip(_ count: Int) throws -> Value {
        guard message.count - position >= count else { throw broken("it ends within a field") }
        position += count
        return .fixed
    }

    private mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            guard position < message.count else { throw broken("it ends within a number") }
            let byte = message[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw broken("a number has more than ten bytes")
    }

    private func broken(_ message: String) -> InferenceError { .modelFile("ONNX", message) }
}
