import Basics

/// Keys of the online store: 8 bytes of the view's digest, then the values of the join keys as texts, each with its length
/// in 2 bytes, little-endian.
///
/// Whole numbers are written in decimal, moments as microseconds since 1970, truth values as `true` and `false`: the text
/// "5" and the number 5 name the same entity. A changed view has another digest, and so never reads what an older one wrote.
enum OnlineKey {
    /// Longer keys are stored by the digest of their values.
    static let bytesMax = 480
    /// What comes after the prefix of a key that is stored by its digest; no value can be so long.
    private static let digested: [UInt8] = [0xFF, 0xFF]

    static func prefix(_ digest: Digest) -> [UInt8] { bytes(of: digest, count: 8) }

    /// The first bytes of a digest.
    static func bytes(of digest: Digest, count: Int) -> [UInt8] {
        func nibble(_ byte: UInt8) -> UInt8 { byte < 58 ? byte - 48 : byte - 87 }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in digest.hex.utf8.prefix(2 * count) {
            if let first = high {
                bytes.append(first << 4 | nibble(digit))
                high = nil
            } else {
                high = nibble(digit)
            }
        }
        return bytes
    }

    /// A value of a join key as keys hold it; nil for null and for fractions, which name no entity.
    static func text(_ value: ScalarValue) -> String? {
        switch value {
        case .null: nil
        case .integer(let number): "\(number)"
        case .double(let number): Int64(exactly: number).map { "\($0)" }
        case .string(let text): text
        case .boolean(let flag): flag ? "true" : "false"
        case .timestamp(let moment): "\(moment.microseconds)"
        }
    }

    /// How many bytes a key takes before a long one is digested.
    static func length(prefix: [UInt8], _ values: some Sequence<UnsafeRawBufferPointer>) -> Int {
        values.reduce(prefix.count) { $0 + 2 + $1.count }
    }

    /// Writes a key into a buffer that has room for ``length(prefix:_:)``.
    /// - Returns: its length.
    static func write(
        prefix: [UInt8], _ values: some Sequence<UnsafeRawBufferPointer>, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        buffer.copyBytes(from: prefix)
        var count = prefix.count
        for value in values {
            put(length: value.count, into: buffer, at: &count)
            if !value.isEmpty {
                UnsafeMutableRawBufferPointer(rebasing: buffer[count..<count + value.count]).copyMemory(from: value)
                count += value.count
            }
        }
        guard count > bytesMax else { return count }
        let short = shortened(UnsafeRawBufferPointer(rebasing: buffer[0..<count]), prefix: prefix)
        buffer.copyBytes(from: short)
        return short.count
    }

    /// What stands for a key that is too long.
    static func shortened(_ key: UnsafeRawBufferPointer, prefix: [UInt8]) -> [UInt8] {
        prefix + digested + bytes(of: Digest(of: key), count: 32)
    }

    private static func put(length: Int, into buffer: UnsafeMutableRawBufferPointer, at count: inout Int) {
        buffer[count] = UInt8(truncatingIfNeeded: length)
        buffer[count + 1] = UInt8(truncatingIfNeeded: length >> 8)
        count += 2
    }

    static func key(prefix: [UInt8], texts: [String]) -> [UInt8] {
        var values: [UInt8] = []
        var ends: [Int] = []
        for text in texts {
            values.append(contentsOf: text.utf8)
            ends.append(values.count)
        }
        return values.withUnsafeBytes { bytes in
            var start = 0
            let parts = ends.map { end in
                defer { start = end }
                return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            }
            return [UInt8](unsafeUninitializedCapacity: length(prefix: prefix, parts)) { buffer, count in
                count = write(prefix: prefix, parts, into: UnsafeMutableRawBufferPointer(buffer))
            }
        }
    }

    /// The values that follow the prefix of a key; nil where it is digested or is no key of so many values.
    static func texts(in key: UnsafeRawBufferPointer, prefixCount: Int, count: Int) -> [String]? {
        var texts: [String] = []
        var position = prefixCount
        while texts.count < count {
            guard position + 2 <= key.count else { return nil }
            let length = Int(key[position]) | Int(key[position + 1]) << 8
            position += 2
            guard position + length <= key.count else { return nil }
            texts.append(String(decoding: key[position..<position + length], as: UTF8.self))
            position += length
        }
        return position == key.count ? texts : nil
    }
}
