/// The last guard before a log sink: credentials that slipped into a text are replaced by dots.
///
/// Known are API tokens (`mw_` and what follows), what stands behind `Bearer` or `Basic`, and whole fields whose name
/// says that they hold a secret.
enum Redaction {
    private static let dots = Array("•••".utf8)
    private static let secretNames: Set<String> = [
        "authorization", "proxy-authorization", "password", "passphrase", "secret", "token", "api_key", "cookie",
    ]
    /// Shorter runs behind a scheme are words of a sentence, such as "Basic with a token".
    private static let credentialBytesMin = 12

    /// Whether a field of that name is not to be shown at all.
    static func hides(_ name: String) -> Bool { secretNames.contains(name.lowercased()) }

    /// The bytes with credentials replaced; nil where there are none, which is the rule and costs no copy.
    static func redacted(_ bytes: [UInt8]) -> [UInt8]? {
        var result: [UInt8]?
        var copied = 0
        var position = 0
        while position < bytes.count {
            guard let length = credential(in: bytes, at: position) else {
                position += 1
                continue
            }
            result = (result ?? []) + bytes[copied..<(position + length.kept)] + dots
            position += length.kept + length.hidden
            copied = position
        }
        return result.map { $0 + bytes[copied...] }
    }

    /// How many bytes of a credential that starts here are shown, and how many after them are hidden.
    private static func credential(in bytes: [UInt8], at start: Int) -> (kept: Int, hidden: Int)? {
        switch bytes[start] | 32 {
        case UInt8(ascii: "m"):
            guard has("mw_", bytes, start) else { return nil }
            let run = run(bytes, from: start + 3) { isLetter($0) || $0 == UInt8(ascii: "_") }
            return run >= credentialBytesMin ? (3, run) : nil
        case UInt8(ascii: "b"):
            for scheme in ["bearer", "basic"] where has(scheme, bytes, start) {
                let blanks = run(bytes, from: start + scheme.utf8.count) { $0 == 32 }
                guard blanks > 0 else { continue }
                let kept = scheme.utf8.count + blanks
                let run = run(bytes, from: start + kept) { isLetter($0) || "-._~+/=".utf8.contains($0) }
                if run >= credentialBytesMin { return (kept, run) }
            }
            return nil
        default: return nil
        }
    }

    private static func has(_ word: String, _ bytes: [UInt8], _ start: Int) -> Bool {
        bytes.count - start >= word.utf8.count
            && zip(bytes[start...], word.utf8).allSatisfy { $0 == $1 || ($0 | 32 == $1 && $1 != UInt8(ascii: "_")) }
    }

    private static func run(_ bytes: [UInt8], from start: Int, _ fits: (UInt8) -> Bool) -> Int {
        guard start <= bytes.count else { return 0 }
        return bytes[start...].prefix(while: fits).count
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}
