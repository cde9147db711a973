import Basics

/// Whole byte arrays, sealed and opened in memory.
public enum SealedBytes {
    /// Seals with the newest key. The result is `sealedCount` bytes long, and another one at every call.
    /// - Parameter context: must be given again to open, such as the name the bytes are stored under; empty for none.
    public static func seal(_ content: [UInt8], with keyring: SealingKeyring, context: String = "") throws -> [UInt8] {
        var stream = try SealingStream(keyring, context: context)
        var sealed = stream.start
        sealed.reserveCapacity(sealedCount(of: content.count, with: keyring))
        sealed += try content.withUnsafeBytes { try stream.update($0) }
        sealed += try stream.finish()
        return sealed
    }

    /// Opens what `seal` made.
    /// - Parameter what: names the bytes in messages.
    /// - Throws: `SealingFailure`; nothing of the content is given where any of it is not authentic.
    public static func open(
        _ sealed: [UInt8], with keyring: SealingKeyring, context: String = "", what: String = "the sealed content"
    ) throws -> [UInt8] {
        var stream = OpeningStream(keyring, context: context, what: what)
        var content = try sealed.withUnsafeBytes { try stream.update($0) }
        content += try stream.finish()
        return content
    }

    /// Seals with the newest key what an older one has sealed.
    /// - Returns: nil where the newest key has sealed it already.
    public static func rewrap(
        _ sealed: [UInt8], with keyring: SealingKeyring, context: String = "", what: String = "the sealed content"
    ) throws -> [UInt8]? {
        if try keyID(of: sealed, what: what) == keyring.newest { return nil }
        return try seal(try open(sealed, with: keyring, context: context, what: what), with: keyring, context: context)
    }

    /// Whether bytes start as sealed bytes do.
    public static func isSealed(_ bytes: some Collection<UInt8>) -> Bool { bytes.starts(with: SealedForm.magic) }

    /// The id of the key that the start of sealed bytes names; not authentic until they are opened.
    public static func keyID(of sealed: some Collection<UInt8>, what: String = "the sealed content") throws -> String {
        let length = try SealedForm.idLength(sealed.prefix(SealedForm.fixedBytes), of: what)
        let id = sealed.dropFirst(SealedForm.fixedBytes).prefix(length)
        let text = String(decoding: id, as: UTF8.self)
        guard id.count == length, SealingKeyring.isUsable(id: text) else { throw SealingFailure.notAuthentic(what) }
        return text
    }

    /// How long content of `count` bytes is when sealed with the newest key of a keyring.
    public static func sealedCount(of count: Int, with keyring: SealingKeyring) -> Int {
        let chunks = max(1, (count + SealedForm.chunk - 1) / SealedForm.chunk)
        return SealedForm.fixedBytes + keyring.newest.utf8.count + SealedForm.headerBytes + count
            + chunks * SealedForm.overhead
    }
}
