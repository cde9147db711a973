/// The first message in bytes that came, as gRPC frames it: a byte for compression, four of length, then the message.
enum MessageFrame {
    /// More bytes are needed: so many altogether, as far as it is known.
    case partial(needed: Int)
    case whole(compressed: Bool, message: Range<Int>)

    /// - Throws: `GRPCFailure.badMessage`, `messageTooLarge`.
    init(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(GRPCFailure) {
        guard bytes.count >= CallAnswer.prefixBytes else {
            self = .partial(needed: CallAnswer.prefixBytes)
            return
        }
        guard bytes[0] <= 1 else { throw .badMessage("its first byte is \(bytes[0]), and neither 0 nor 1") }
        let length = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self)))
        guard length <= limit else { throw .messageTooLarge(limit: limit) }
        let end = CallAnswer.prefixBytes + length
        self =
            bytes.count < end
            ? .partial(needed: end)
            : .whole(compressed: bytes[0] == 1, message: CallAnswer.prefixBytes..<end)
    }
}
