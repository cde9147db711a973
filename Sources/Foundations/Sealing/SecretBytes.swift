import CSodium

/// Secret bytes in memory of their own: fenced, kept off the swap where the system allows it, and wiped when let go.
final class SecretBytes: Sendable {
    let count: Int
    // Written only in the initialiser, before anyone else has the value.
    private nonisolated(unsafe) let start: UnsafeMutableRawPointer

    /// - Parameter fill: writes all `count` bytes, which are zero before.
    /// - Throws: what `fill` throws, or `SealingFailure.unusable`.
    init(count: Int, _ fill: (UnsafeMutablePointer<UInt8>) throws -> Void) throws {
        guard sodium_init() >= 0 else { throw SealingFailure.unusable(reason: "libsodium did not start") }
        guard count > 0, let start = sodium_malloc(count) else {
            throw SealingFailure.unusable(reason: "there is no memory for a key")
        }
        self.count = count
        self.start = start
        sodium_memzero(start, count)
        try fill(start.assumingMemoryBound(to: UInt8.self))
        sodium_mprotect_readonly(start)
    }

    deinit { sodium_free(start) }

    /// The bytes, for as long as `body` runs.
    func withBytes<Result>(_ body: (UnsafePointer<UInt8>) throws -> Result) rethrows -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafePointer(start.assumingMemoryBound(to: UInt8.self)))
    }

    /// Reads base64 of exactly `count` bytes.
    /// - Throws: `SealingFailure.badKey` naming `origin`.
    convenience init(base64 text: some StringProtocol, count: Int, origin: String) throws {
        try self.init(count: count) { out in
            guard Base64.decode(text, into: out, count) == count else {
                throw SealingFailure.badKey(origin, reason: "it is not base64 of \(count) bytes")
            }
        }
    }

    /// Fresh random bytes of the system.
    static func random(count: Int) throws -> SecretBytes {
        try SecretBytes(count: count) { randombytes_buf($0, count) }
    }

    /// The bytes as base64, for a key file.
    var base64: String { withBytes { Base64.text($0, count) } }
}
