/// The Castagnoli checksum (RFC 3720, appendix B.4), eight bytes at a step by the slicing method of Kounavis and Berry
/// (Intel, 2005).
struct CRC32C: Sendable {
    // Eight tables of 256 in a row: table k holds the checksum of a byte followed by k zero bytes.
    private let tables: [UInt32]

    init() {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1 }
            tables[byte] = value
        }
        for index in 256..<2048 {
            let before = tables[index - 256]
            tables[index] = (before >> 8) ^ tables[Int(before & 0xFF)]
        }
        self.tables = tables
    }

    /// Continues a checksum over more bytes. Start with `.max` and invert the bits of the last result.
    func update(_ value: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        tables.withUnsafeBufferPointer { table in
            var crc = value
            var offset = 0
            let whole = bytes.count & ~7
            while offset < whole {
                let low = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) ^ crc
                let high = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
                let first = table[Int(low & 0xFF) + 1792] ^ table[Int((low >> 8) & 0xFF) + 1536]
                let second = table[Int((low >> 16) & 0xFF) + 1280] ^ table[Int(low >> 24) + 1024]
                let third = table[Int(high & 0xFF) + 768] ^ table[Int((high >> 8) & 0xFF) + 512]
                let fourth = table[Int((high >> 16) & 0xFF) + 256] ^ table[Int(high >> 24)]
                crc = first ^ second ^ third ^ fourth
                offset += 8
            }
            while offset < bytes.count {
                crc = (crc >> 8) ^ table[Int((crc ^ UInt32(bytes[offset])) & 0xFF)]
                offset += 1
            }
            return crc
        }
    }

    /// The checksum of all the bytes.
    func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 { ~update(.max, bytes) }
}
