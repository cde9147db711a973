import Basics
import CSodium

/// The form of sealed bytes, version 1.
///
/// `mwsealed` in ASCII; the version, one byte; the length of the key id, one byte, and the id in ASCII; the 24-byte
/// header of libsodium's secretstream (XChaCha20-Poly1305); then chunks. Each chunk is 65,536 bytes of content, the last
/// one 0 to 65,536, and 17 bytes more. Only the last has the tag FINAL, and nothing follows it. The additional data of
/// every chunk are all bytes before the header, followed by the caller's context in UTF-8. So bytes that were changed,
/// cut off, moved, repeated, added, or that belong to another context do not open.
enum SealedForm {
    static let magic = Array("mwsealed".utf8)
    static let version: UInt8 = 1
    static let chunk = 65_536
    static var overhead: Int { Int(crypto_secretstream_xchacha20poly1305_abytes()) }
    static var headerBytes: Int { Int(crypto_secretstream_xchacha20poly1305_headerbytes()) }
    /// Magic, version and length of the id.
    static let fixedBytes = 10

    /// Everything before the header.
    static func preamble(id: String) -> [UInt8] { magic + [version, UInt8(clamping: id.utf8.count)] + Array(id.utf8) }

    /// The length of the id that sealed bytes name, from their first `fixedBytes`.
    /// - Throws: `SealingFailure.notSealed` or `.version`.
    static func idLength(_ start: some Collection<UInt8>, of what: String) throws -> Int {
        let start = Array(start)
        guard start.count >= fixedBytes, start.starts(with: magic) else { throw SealingFailure.notSealed(what) }
        guard start[8] == version else { throw SealingFailure.version(Int(start[8]), of: what) }
        guard (1...64).contains(start[9]) else { throw SealingFailure.notAuthentic(what) }
        return Int(start[9])
    }
}
