import Basics
import CSodium

/// The keys that bytes are sealed with: the newest seals, all of them open.
///
/// Held by a file or an environment variable as lines `ID BASE64`, newest first, each key being 32 random bytes; lines
/// that are empty or start with `#` say nothing. An id is 1 to 64 letters, digits, dots, dashes and underscores. To
/// change keys, put a new line first; what older keys sealed stays readable until its line is taken away.
public struct SealingKeyring: Sendable, CustomStringConvertible {
    /// The id of the key that seals.
    public let newest: String
    /// All ids, newest first.
    public let ids: [String]
    private let keys: [String: SecretBytes]

    static let keyBytes = 32

    /// - Parameters:
    ///   - text: the lines.
    ///   - origin: names the text in messages, such as `MODELWORKS_SEALING_KEYS`.
    /// - Throws: `SealingFailure.badKey` naming the line, never what it holds.
    public init(_ text: Secret, origin: String) throws {
        var ids: [String] = []
        var keys: [String: SecretBytes] = [:]
        for (number, words) in KeyFile.lines(text.revealed) {
            let place = "\(origin), line \(number)"
            guard words.count == 2, let id = words.first.map(String.init), let value = words.last else {
                throw SealingFailure.badKey(place, reason: "it is not of the form ID BASE64")
            }
            guard Self.isUsable(id: id) else {
                throw SealingFailure.badKey(
                    place, reason: "its id is not 1 to 64 letters, digits, dots, dashes and underscores")
            }
            guard keys[id] == nil else {
                throw SealingFailure.badKey(place, reason: "the id '\(id)' stands there twice")
            }
            keys[id] = try SecretBytes(base64: value, count: Self.keyBytes, origin: place)
            ids.append(id)
        }
        guard let newest = ids.first else { throw SealingFailure.badKey(origin, reason: "it holds no key") }
        self.newest = newest
        self.ids = ids
        self.keys = keys
    }

    /// Reads a keyring file. Blocks while the disk works.
    /// - Throws: `SealingFailure`; `.exposed` where other users may read the file.
    public init(file path: String) throws {
        try self.init(Secret(try KeyFile.read(path)), origin: "'\(path)'")
    }

    /// Reads the keyring from an environment variable.
    /// - Throws: `SecretFailure.missingVariable` or `SealingFailure.badKey`.
    public init(variable name: String, from source: SecretSource) throws {
        try self.init(try source.variable(name), origin: name)
    }

    /// A fresh line for a keyring.
    /// - Throws: `SealingFailure.badKey` for an id that can not be one.
    public static func freshLine(id: String) throws -> Secret {
        guard isUsable(id: id) else { throw SealingFailure.badKey("the new key", reason: "its id can not be used") }
        return Secret("\(id) \(try SecretBytes.random(count: keyBytes).base64)")
    }

    /// Makes a keyring file of mode 0600 with one fresh key, unless there is a file of that name. Blocks while the disk
    /// works.
    /// - Returns: whether the file was made.
    @discardableResult
    public static func create(file path: String, id: String) throws -> Bool {
        try KeyFile.create(path, try freshLine(id: id).revealed + "\n", mode: 0o600)
    }

    func key(_ id: String) -> SecretBytes? { keys[id] }

    static func isUsable(id: some StringProtocol) -> Bool {
        (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 46
                    || $0 == 95
            }
    }

    public var description: String { "sealing keys \(ids.joined(separator: ", "))" }
}
