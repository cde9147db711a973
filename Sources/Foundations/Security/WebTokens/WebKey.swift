import Basics
internal import CCrypto

/// A public key of a JSON Web Key Set (RFC 7517) that tokens are verified with.
final class WebKey: Sendable {
    /// How tokens are signed. There are no others: not `none`, and none whose key is a secret.
    enum Algorithm: String, Sendable {
        case rs256 = "RS256"
        case es256 = "ES256"
    }

    let id: String?
    let algorithm: Algorithm
    private let handle: Handle

    /// - Throws: `Problem` for a key of these types that can not be used.
    /// - Returns: nil for a key that is not meant for this.
    static func read(_ document: JSONValue) throws(Problem) -> WebKey? {
        if let use = document["use"]?.string, use != "sig" { return nil }
        if let operations = document["key_ops"]?.array, !operations.contains(.string("verify")) { return nil }
        let id = document["kid"]?.string
        func bytes(_ name: String) throws(Problem) -> [UInt8] {
            guard let text = document[name]?.string, let bytes = Base64URL.decode(text.utf8) else {
                throw Problem(reason: "'\(name)' of the key '\(id ?? "")' is no base64url")
            }
            return bytes
        }
        let algorithm: Algorithm
        let pointer: OpaquePointer?
        switch document["kty"]?.string {
        case "RSA":
            algorithm = .rs256
            let (modulus, exponent) = (try bytes("n"), try bytes("e"))
            guard modulus.count <= 1024, exponent.count <= 8 else {
                throw Problem(reason: "the key '\(id ?? "")' is too long")
            }
            pointer = mw_rsa_public_key(modulus, modulus.count, exponent, exponent.count)
            guard mw_public_key_bits(pointer) >= 2048 else {
                mw_public_key_free(pointer)
                throw Problem(reason: "the key '\(id ?? "")' has less than 2048 bits")
            }
        case "EC" where document["crv"]?.string == "P-256":
            algorithm = .es256
            let (x, y) = (try bytes("x"), try bytes("y"))
            guard x.count == 32, y.count == 32 else {
                throw Problem(reason: "the key '\(id ?? "")' has no coordinates of 32 bytes")
            }
            pointer = mw_p256_public_key(x, y)
        default: return nil
        }
        guard let pointer else { throw Problem(reason: "the key '\(id ?? "")' is no key of its type") }
        let handle = Handle(pointer: pointer)
        if let named = document["alg"]?.string, named != algorithm.rawValue {
            mw_public_key_free(pointer)
            return nil
        }
        return WebKey(id: id, algorithm: algorithm, handle: handle)
    }

    private init(id: String?, algorithm: Algorithm, handle: Handle) {
        self.id = id
        self.algorithm = algorithm
        self.handle = handle
    }

    deinit { mw_public_key_free(handle.pointer) }

    /// Whether a signature of this key's own algorithm is good; what the token says of itself does not count here.
    func verifies(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
        switch algorithm {
        case .rs256: mw_verify_rs256(handle.pointer, bytes, bytes.count, signature, signature.count) == 1
        case .es256: mw_verify_es256(handle.pointer, bytes, bytes.count, signature, signature.count) == 1
        }
    }

    /// Why a key can not be used.
    struct Problem: Error {
        let reason: String
    }

    private struct Handle: @unchecked Sendable {
        // OpenSSL counts references and locks inside; verifying changes nothing.
        let pointer: OpaquePointer
    }
}
