import Basics

/// The text of an API token: `mw_`, 11 letters that name it, `_`, 43 letters that carry 256 random bits, and 6 that
/// check the rest. The check turns typing errors away without a look-up, and lets scanners know a leaked token.
struct TokenText {
    static let length = 64
    /// Names the token in lists and logs; no secret.
    let id: String
    /// The whole text.
    let secret: Secret
    let hash: TokenHash

    /// A new one.
    init(random: any RandomSource) {
        id = TokenText.letters([random.next()], count: 11)
        let body = "mw_\(id)_" + TokenText.letters((0..<4).map { _ in random.next() }, count: 43)
        let text = body + TokenText.check(body)
        secret = Secret(text)
        hash = TokenHash(of: text)
    }

    /// Nil where the text can not be a token.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == TokenText.length, bytes.starts(with: "mw_".utf8), bytes[14] == UInt8(ascii: "_"),
            bytes.indices.allSatisfy({ $0 == 2 || $0 == 14 || TokenText.alphabet.contains(bytes[$0]) })
        else { return nil }
        let body = String(decoding: bytes.prefix(58), as: UTF8.self)
        guard Array(TokenText.check(body).utf8) == Array(bytes.suffix(6)) else { return nil }
        id = String(decoding: bytes[3..<14], as: UTF8.self)
        secret = Secret(text)
        hash = TokenHash(of: text)
    }

    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    private static func check(_ body: String) -> String {
        letters([UInt64(Digest(of: body).hex.prefix(8), radix: 16) ?? 0], count: 6)
    }

    /// A number of 64-bit words, most significant first, in base 62 with a fixed count of letters.
    static func letters(_ words: [UInt64], count: Int) -> String {
        var limbs = words.flatMap { [UInt64($0 >> 32), $0 & 0xFFFF_FFFF] }
        var digits: [UInt8] = []
        for _ in 0..<count {
            var rest: UInt64 = 0
            for index in limbs.indices {
                let value = rest << 32 | limbs[index]
                limbs[index] = value / 62
                rest = value % 62
            }
            digits.append(alphabet[Int(rest)])
        }
        return String(decoding: digits.reversed(), as: UTF8.self)
    }
}
