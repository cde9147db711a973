import Sealing

/// Seals with the newest key of a keyring and opens with any of them (libsodium's secretstream, XChaCha20-Poly1305).
public struct KeyringSealer: Sealer {
    private let keyring: SealingKeyring

    public init(_ keyring: SealingKeyring) { self.keyring = keyring }

    public func seal(_ bytes: [UInt8]) throws -> [UInt8] { try SealedBytes.seal(bytes, with: keyring) }

    public func open(_ bytes: [UInt8]) throws -> [UInt8] { try SealedBytes.open(bytes, with: keyring) }

    public func seal(file source: String, into target: String) throws {
        try SealedFile.seal(source, to: target, with: keyring)
    }

    public func open(file source: String, into target: String) throws {
        try SealedFile.open(source, to: target, with: keyring)
    }

    /// Known where the ids of all keys are of one length: the form begins with the id.
    public func openedSize(ofSealed bytes: Int64) -> Int64? {
        guard keyring.ids.allSatisfy({ $0.utf8.count == keyring.newest.utf8.count }), let sealed = Int(exactly: bytes),
            sealed > 0
        else { return nil }
        let start = SealedBytes.sealedCount(of: 0, with: keyring)
        let perChunk =
            SealedBytes.sealedCount(of: 2 << 16, with: keyring) - SealedBytes.sealedCount(of: 1 << 16, with: keyring)
        guard perChunk > 1 << 16, sealed >= start else { return nil }
        let chunkOverhead = perChunk - (1 << 16)
        let body = sealed - start + chunkOverhead
        let chunks = (body + perChunk - 1) / perChunk
        let count = body - chunks * chunkOverhead
        return count >= 0 && SealedBytes.sealedCount(of: count, with: keyring) == sealed ? Int64(count) : nil
    }
}
