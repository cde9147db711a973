import Basics
import Foundation

/// AWS Signature Version 4, worked out anew from a request as it was on the wire, by the steps of the S3 API reference
/// ("Authenticating Requests: Using the Authorization Header").
enum SignatureOracle {
    /// What the signature of a request should be; nil where it is not signed at all.
    static func expected(_ request: WireRequest, secret: String) -> String? {
        guard let authorization = request.headers["authorization"], authorization.hasPrefix("AWS4-HMAC-SHA256 "),
            let scope = part("Credential=", of: authorization)?.split(separator: "/").map(String.init),
            let names = part("SignedHeaders=", of: authorization), scope.count == 5,
            let date = request.headers["x-amz-date"], let payload = request.headers["x-amz-content-sha256"]
        else { return nil }
        let pieces = request.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = pieces.first.map(String.init) ?? ""
        let query = (pieces.count > 1 ? String(pieces[1]) : "").split(separator: "&").map { item -> String in
            let halves = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = encoded(halves.first.map(String.init) ?? "", keepsSlash: false)
            return "\(name)=\(encoded(halves.count > 1 ? String(halves[1]) : "", keepsSlash: false))"
        }
        let headers = names.split(separator: ";").map { "\($0):\(request.headers[String($0)] ?? "")\n" }.joined()
        let canonical = [
            request.method, encoded(path, keepsSlash: true), query.sorted().joined(separator: "&"), headers, names,
            payload,
        ].joined(separator: "\n")
        let text = [
            "AWS4-HMAC-SHA256", date, scope[1...].joined(separator: "/"), Digest(of: canonical).hex,
        ].joined(separator: "\n")
        var key = Array("AWS4\(secret)".utf8)
        for word in scope[1...] { key = hmac(key, Array(word.utf8)) }
        return hmac(key, Array(text.utf8)).map { String(format: "%02x", $0) }.joined()
    }

    static func given(_ request: WireRequest) -> String? {
        request.headers["authorization"].flatMap { part("Signature=", of: $0) }
    }

    private static func part(_ name: String, of text: String) -> String? {
        text.components(separatedBy: name).dropFirst().first?.split(separator: ",").first.map {
            $0.trimmingCharacters(in: .whitespaces)
        }
    }

    private static func encoded(_ text: String, keepsSlash: Bool) -> String {
        let decoded = text.removingPercentEncoding ?? text
        let kept = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~" + (keepsSlash ? "/" : "")
        )
        return decoded.addingPercentEncoding(withAllowedCharacters: kept) ?? ""
    }

    /// RFC 2104 over SHA-256.
    private static func hmac(_ key: [UInt8], _ text: [UInt8]) -> [UInt8] {
        let short = key.count > 64 ? bytes(Digest(of: key)) : key
        let block = short + [UInt8](repeating: 0, count: 64 - short.count)
        return bytes(Digest(of: block.map { $0 ^ 0x5C } + bytes(Digest(of: block.map { $0 ^ 0x36 } + text))))
    }

    private static func bytes(_ digest: Digest) -> [UInt8] {
        var digits = Array(digest.hex)[...]
        var result: [UInt8] = []
        while let high = digits.popFirst(), let low = digits.popFirst() {
            result.append(UInt8(String([high, low]), radix: 16) ?? 0)
        }
        return result
    }
}
