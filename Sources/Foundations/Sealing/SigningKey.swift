import Basics
import CSodium

/// A private Ed25519 key (RFC 8032). It can not be printed; its memory is wiped when it is let go.
public struct SigningKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// The key that others check signatures with.
    public let verifyingKey: VerifyingKey
    private let seed: SecretBytes
    private let expanded: SecretBytes

    static let type = "modelworks-ed25519-secret"

    /// A fresh key from the system's random bits.
    /// - Throws: `SealingFailure.unusable`.
    public static func generate() throws -> SigningKey { try SigningKey(try SecretBytes.random(count: 32)) }

    /// The key that RFC 8032 derives from 32 bytes.
    /// - Throws: `SealingFailure.badKey` where there are not 32.
    public init(seed bytes: [UInt8]) throws {
        guard bytes.count == 32 else { throw SealingFailure.badKey("the seed", reason: "it is not of 32 bytes") }
        try self.init(try SecretBytes(count: 32) { $0.update(from: bytes, count: 32) })
    }

    init(_ seed: SecretBytes) throws {
        var open = [UInt8](repeating: 0, count: 32)
        expanded = try SecretBytes(count: 64) { out in
            guard seed.withBytes({ crypto_sign_seed_keypair(&open, out, $0) }) == 0 else {
                throw SealingFailure.unusable(reason: "no key could be derived")
            }
        }
        self.seed = seed
        verifyingKey = VerifyingKey(valid: open)
    }

    /// The name of the key, that of its public half.
    public var id: String { verifyingKey.id }

    /// The signature of 64 bytes over `message`. The same message always gives the same signature.
    public func sign(_ message: [UInt8]) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: 64)
        _ = expanded.withBytes { crypto_sign_detached(&signature, nil, message, UInt64(message.count), $0) }
        return signature
    }

    /// The line of a key file.
    var line: Secret { Secret("\(Self.type) \(seed.base64)") }

    public var description: String { "Ed25519 private key \(id)" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A public Ed25519 key (RFC 8032).
public struct VerifyingKey: Sendable, Hashable, CustomStringConvertible {
    /// The 32 bytes of the key.
    public let bytes: [UInt8]

    static let type = "modelworks-ed25519-public"

    /// - Throws: `SealingFailure.badKey` where `bytes` are not 32 bytes of a point that signatures can be checked with.
    public init(_ bytes: [UInt8]) throws {
        guard bytes.count == 32, sodium_init() >= 0, crypto_core_ed25519_is_valid_point(bytes) == 1 else {
            throw SealingFailure.badKey("the public key", reason: "it is no Ed25519 key of 32 bytes")
        }
        self.init(valid: bytes)
    }

    init(valid bytes: [UInt8]) { self.bytes = bytes }

    /// The first 16 hexadecimal digits of the SHA-256 of the key's bytes.
    public var id: String { String(Digest(of: bytes).hex.prefix(16)) }

    /// Whether `signature` was made over exactly `message` by the private half of this key.
    public func isValid(_ signature: [UInt8], for message: [UInt8]) -> Bool {
        guard signature.count == 64 else { return false }
        return crypto_sign_verify_detached(signature, message, UInt64(message.count), bytes) == 0
    }

    /// One line, as key files hold it: `modelworks-ed25519-public BASE64`.
    public var description: String { "\(Self.type) \(Base64.text(bytes))" }
}
