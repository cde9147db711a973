/// Which of the 16384 slots of a cluster a key lies in (Redis Cluster Specification, "Key distribution model").
enum RedisSlots {
    static let count = 16384

    /// The slot of a key made of two parts: CRC-16 of the hash tag, or of the whole key where it has none, modulo 16384.
    static func slot(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Int {
        var crc: UInt16 = 0
        // The tag lies between the first { and the first } after it, and must not be empty.
        var tag: UInt16 = 0
        var tagCount = 0
        var state = TagState.before
        for part in [first, second] {
            for byte in part {
                crc = step(crc, byte)
                switch state {
                case .before: if byte == UInt8(ascii: "{") { state = .inside }
                case .inside where byte == UInt8(ascii: "}"): state = tagCount > 0 ? .after : .none
                case .inside:
                    tag = step(tag, byte)
                    tagCount += 1
                case .after, .none: break
                }
            }
        }
        if case .after = state { crc = tag }
        return Int(crc) & (count - 1)
    }

    private enum TagState { case before, inside, after, none }

    private static func step(_ crc: UInt16, _ byte: UInt8) -> UInt16 {
        (crc << 8) ^ table[Int(UInt8(truncatingIfNeeded: crc >> 8) ^ byte)]
    }

    static func slot(_ key: [UInt8]) -> Int {
        key.withUnsafeBytes { slot($0, UnsafeRawBufferPointer(start: nil, count: 0)) }
    }

    /// CRC-16/XMODEM: polynomial 0x1021, start 0, no reflection.
    private static let table: [UInt16] = (0..<256).map { index in
        var crc = UInt16(index) << 8
        for _ in 0..<8 { crc = crc & 0x8000 != 0 ? (crc << 1) ^ 0x1021 : crc << 1 }
        return crc
    }
}
