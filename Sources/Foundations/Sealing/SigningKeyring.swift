import Basics

/// The keys of one signer over time: the newest signs, all of them verify.
///
/// A key file holds one key a line, newest first: `modelworks-ed25519-secret BASE64` (the 32-byte seed) or
/// `modelworks-ed25519-public BASE64`. Lines that are empty or start with `#` say nothing. To change keys, put a new
/// secret line first; the older may then be reduced to its public line.
public struct SigningKeyring: Sendable {
    /// The first private key, or nil in a keyring that can only verify.
    public let signer: SigningKey?
    private let keys: [String: VerifyingKey]

    /// A keyring of one private key.
    public init(_ signer: SigningKey) {
        self.signer = signer
        keys = [signer.id: signer.verifyingKey]
    }

    /// A keyring that verifies only.
    public init(_ keys: [VerifyingKey]) {
        signer = nil
        self.keys = Dictionary(keys.map { ($0.id, $0) }) { first, _ in first }
    }

    /// Reads the lines of a key file.
    /// - Parameter origin: names the text in messages, such as `'keys/journal.ed25519'`.
    /// - Throws: `SealingFailure.badKey` naming the line, never what it holds.
    public init(_ text: Secret, origin: String) throws {
        var signer: SigningKey?
        var keys: [String: VerifyingKey] = [:]
        for (number, words) in KeyFile.lines(text.revealed) {
            let place = "\(origin), line \(number)"
            guard words.count == 2, let type = words.first, let value = words.last else {
                throw SealingFailure.badKey(place, reason: "it is not of the form TYPE BASE64")
            }
            switch type {
            case SigningKey.type[...]:
                let key = try SigningKey(try SecretBytes(base64: value, count: 32, origin: place))
                signer = signer ?? key
                keys[key.id] = key.verifyingKey
            case VerifyingKey.type[...]:
                guard let bytes = Base64.bytes(value), let key = try? VerifyingKey(bytes) else {
                    throw SealingFailure.badKey(place, reason: "it is no Ed25519 key of 32 bytes")
                }
                keys[key.id] = key
            default:
                throw SealingFailure.badKey(
                    place, reason: "its type is neither \(SigningKey.type) nor \(VerifyingKey.type)")
            }
        }
        guard !keys.isEmpty else { throw SealingFailure.badKey(origin, reason: "it holds no key") }
        self.signer = signer
        self.keys = keys
    }

    /// Reads a key file. Blocks while the disk works.
    /// - Throws: `SealingFailure`; `.exposed` where it holds a private key and other users may read it.
    public init(file path: String) throws {
        let text = try KeyFile.read(path, secret: false)
        try self.init(Secret(text), origin: "'\(path)'")
        if signer != nil { _ = try KeyFile.read(path) }
    }

    /// Reads a key file with a private key, making one with a fresh key where there is no file, of mode 0600, and beside
    /// it `PATH.pub` with the public line for auditors. The folder must exist. Blocks while the disk works.
    /// - Throws: `SealingFailure`; `.badKey` where the file holds public keys only.
    public static func opened(atFile path: String) throws -> SigningKeyring {
        do {
            _ = try KeyFile.read(path)
        } catch SealingFailure.file {
            let key = try SigningKey.generate()
            _ = try KeyFile.create(path, key.line.revealed + "\n", mode: 0o600)
        }
        let keyring = try SigningKeyring(file: path)
        guard let signer = keyring.signer else {
            throw SealingFailure.badKey("'\(path)'", reason: "it holds no private key to sign with")
        }
        // Only a convenience: the folder of a key that is mounted read-only takes no other file.
        _ = try? KeyFile.create("\(path).pub", "\(signer.verifyingKey)\n", mode: 0o644)
        return keyring
    }

    /// The key of a name, or nil where it is not in the keyring.
    public subscript(id: String) -> VerifyingKey? { keys[id] }

    /// The public keys in the order of their names.
    public var verifyingKeys: [VerifyingKey] { keys.sorted { $0.key < $1.key }.map(\.value) }
}
