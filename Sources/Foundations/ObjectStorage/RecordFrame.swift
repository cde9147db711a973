/// How a record lies in a segment: its length and a CRC-32C over that length and the record, each 4 bytes with the least
/// significant first, then the record.
///
/// The checksum covers the length so that a stretch of zeros is no sound frame.
struct RecordFrame: Sendable {
    static let headerBytes = 8
    /// The largest record, in bytes.
    static let limit = 64 << 20
    private let crc = CRC32C()

    /// The header of a record as one number whose bytes in little-endian order are the header.
    func header(for record: UnsafeRawBufferPointer) -> UInt64 {
        let length = UInt32(truncatingIfNeeded: record.count)
        return (UInt64(length) | UInt64(checksum(length, record)) << 32).littleEndian
    }

    /// What stands at the start of `bytes`.
    enum Reading {
        /// A sound record of this many bytes after the header.
        case record(Int)
        /// The bytes end before the frame does; this many bytes would be needed.
        case short(needed: Int)
        case bad
    }

    func read(_ bytes: UnsafeRawBufferPointer) -> Reading {
        guard bytes.count >= RecordFrame.headerBytes else { return .short(needed: RecordFrame.headerBytes) }
        let length = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        let stored = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        guard length <= RecordFrame.limit else { return .bad }
        let end = RecordFrame.headerBytes + Int(length)
        guard bytes.count >= end else { return .short(needed: end) }
        let record = UnsafeRawBufferPointer(rebasing: bytes[RecordFrame.headerBytes..<end])
        return checksum(length, record) == stored ? .record(Int(length)) : .bad
    }

    private func checksum(_ length: UInt32, _ record: UnsafeRawBufferPointer) -> UInt32 {
        let start = withUnsafeBytes(of: length.littleEndian) { crc.update(.max, $0) }
        return ~crc.update(start, record)
    }
}
