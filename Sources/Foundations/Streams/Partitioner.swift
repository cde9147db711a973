/// Chooses partitions as Kafka's Java client does: `toPositive(murmur2(key)) % partitions`.
enum Partitioner {
    static func partition(key: [UInt8], count: Int) -> Int {
        Int(murmur2(key) & 0x7FFF_FFFF) % max(1, count)
    }

    /// MurmurHash 2 by Austin Appleby with the seed of `org.apache.kafka.common.utils.Utils`.
    static func murmur2(_ data: [UInt8]) -> UInt32 {
        let multiplier: UInt32 = 0x5BD1_E995
        return data.withUnsafeBytes { bytes in
            var hash: UInt32 = 0x9747_B28C ^ UInt32(truncatingIfNeeded: bytes.count)
            let whole = bytes.count & ~3
            for offset in stride(from: 0, to: whole, by: 4) {
                var word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                word = word &* multiplier
                word ^= word >> 24
                hash = (hash &* multiplier) ^ (word &* multiplier)
            }
            if whole < bytes.count {
                var rest: UInt32 = 0
                for (index, byte) in bytes[whole...].enumerated() { rest |= UInt32(byte) << UInt32(8 * index) }
                hash = (hash ^ rest) &* multiplier
            }
            hash = (hash ^ (hash >> 13)) &* multiplier
            return hash ^ (hash >> 15)
        }
    }
}
