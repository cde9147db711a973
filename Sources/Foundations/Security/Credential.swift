import Basics
import Foundation

/// What an Authorization header says (RFC 6750, RFC 7617).
enum Credential {
    case bearer(String)
    /// A token in place of a password, for clients that know nothing else.
    case basic(user: String, password: String)

    private static let bytesMax = WebTokens.bytesMax + 16

    /// Nil where the header is neither `Bearer TOKEN` nor `Basic BASE64`.
    init?(_ header: String) {
        let bytes = Array(header.utf8)
        guard bytes.count <= Credential.bytesMax, let gap = bytes.firstIndex(of: 32) else { return nil }
        let scheme = String(decoding: bytes[..<gap], as: UTF8.self).lowercased()
        let value = bytes[gap...].drop { $0 == 32 }
        guard !value.isEmpty, value.allSatisfy({ $0 > 32 && $0 < 127 }) else { return nil }
        let text = String(decoding: value, as: UTF8.self)
        switch scheme {
        case "bearer": self = .bearer(text)
        case "basic":
            guard let data = Data(base64Encoded: text), let pair = String(data: data, encoding: .utf8),
                let colon = pair.firstIndex(of: ":")
            else { return nil }
            self = .basic(user: String(pair[..<colon]), password: String(pair[pair.index(after: colon)...]))
        default: return nil
        }
    }

    /// Whether the bytes of a header begin like Basic.
    static func isBasic(_ header: UnsafeRawBufferPointer) -> Bool {
        guard header.count >= 5 else { return false }
        return zip(header, "basic".utf8).allSatisfy { $0 | 32 == $1 }
    }
}
