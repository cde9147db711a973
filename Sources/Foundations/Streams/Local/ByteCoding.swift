/// Writes numbers, texts and bytes one after the other, least significant byte first.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// A length of four bytes, then the bytes.
    mutating func put(_ value: [UInt8]) {
        put(UInt32(truncatingIfNeeded: value.count))
        bytes.append(contentsOf: value)
    }

    mutating func put(_ text: String) { put(Array(text.utf8)) }

    mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

    /// Puts a number in place of the bytes that stand at `offset`.
    mutating func replace(_ value: some FixedWidthInteger, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { new in
            for (index, byte) in new.enumerated() where offset + index < bytes.count { bytes[offset + index] = byte }
        }
    }
}

/// Reads what `ByteWriter` wrote; bytes that end too early are an error, never a trap.
struct ByteReader {
    /// The bytes are not what was written.
    struct Malformed: Error {}

    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws -> Number {
        let width = MemoryLayout<Number>.size
        guard bytes.count - offset >= width else { throw Malformed() }
        defer { offset += width }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    mutating func take() throws -> [UInt8] { Array(try slice()) }

    mutating func text() throws -> String { String(decoding: try slice(), as: UTF8.self) }

    mutating func skip() throws { _ = try slice() }

    private mutating func slice() throws -> Slice<UnsafeRawBufferPointer> {
        let count = Int(try number(UInt32.self))
        guard count <= bytes.count - offset else { throw Malformed() }
        defer { offset += count }
        return bytes[offset..<(offset + count)]
    }
}
