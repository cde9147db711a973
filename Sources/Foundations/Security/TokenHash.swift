internal import CCrypto

/// The SHA-256 of a credential: all that is kept of one, in memory and on disk.
///
/// A slow hash such as Argon2 protects passwords because there are few of them; a token has 256 random bits, so trying
/// them out is hopeless at any speed, and a fast hash is right.
struct TokenHash: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(of bytes: UnsafeRawBufferPointer) {
        words = withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { out in
            mw_sha256_once(bytes.baseAddress, bytes.count, out.baseAddress?.assumingMemoryBound(to: UInt8.self))
            func word(_ index: Int) -> UInt64 {
                UInt64(bigEndian: out.load(fromByteOffset: 8 * index, as: UInt64.self))
            }
            return (word(0), word(1), word(2), word(3))
        }
    }

    init(of text: String) {
        var text = text
        self = text.withUTF8 { TokenHash(of: UnsafeRawBufferPointer($0)) }
    }

    /// Reads `hex`; nil where the text is none.
    init?(hex: String) {
        var values: [UInt64] = []
        var rest = hex[...]
        while !rest.isEmpty, values.count < 4 {
            guard let value = UInt64(rest.prefix(16), radix: 16) else { return nil }
            values.append(value)
            rest = rest.dropFirst(16)
        }
        guard values.count == 4, rest.isEmpty, hex.utf8.count == 64 else { return nil }
        words = (values[0], values[1], values[2], values[3])
    }

    /// 64 hexadecimal digits.
    var hex: String {
        [words.0, words.1, words.2, words.3].map {
            let text = String($0, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
    }

    /// Takes the same time wherever the two differ.
    static func == (left: TokenHash, right: TokenHash) -> Bool {
        (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1) | (left.words.2 ^ right.words.2)
            | (left.words.3 ^ right.words.3) == 0
    }

    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
