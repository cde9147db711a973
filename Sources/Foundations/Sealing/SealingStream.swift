import Basics
import CSodium

/// Seals content piece by piece, holding no more than one chunk of it.
public struct SealingStream: ~Copyable {
    private var state = crypto_secretstream_xchacha20poly1305_state()
    private let additional: [UInt8]
    private var rest: [UInt8] = []
    /// What sealed bytes start with; to be written first.
    public let start: [UInt8]

    /// - Parameters:
    ///   - keyring: its newest key seals.
    ///   - context: must be given again to open, such as the name the bytes are stored under; empty for none.
    public init(_ keyring: SealingKeyring, context: String = "") throws {
        guard let key = keyring.key(keyring.newest) else {
            throw SealingFailure.unknownKey(keyring.newest, of: "a new sealed stream")
        }
        let preamble = SealedForm.preamble(id: keyring.newest)
        var header = [UInt8](repeating: 0, count: SealedForm.headerBytes)
        var fresh = crypto_secretstream_xchacha20poly1305_state()
        let status = key.withBytes { crypto_secretstream_xchacha20poly1305_init_push(&fresh, &header, $0) }
        guard status == 0 else { throw SealingFailure.unusable(reason: "no stream could be started") }
        state = fresh
        sodium_memzero(&fresh, MemoryLayout.size(ofValue: fresh))
        additional = preamble + Array(context.utf8)
        start = preamble + header
        rest.reserveCapacity(SealedForm.chunk)
    }

    deinit {
        var state = state
        sodium_memzero(&state, MemoryLayout.size(ofValue: state))
    }

    /// Takes more content and gives what of it is sealed by now, which may be nothing.
    public mutating func update(_ content: UnsafeRawBufferPointer) throws -> [UInt8] {
        var content = content[...]
        var sealed: [UInt8] = []
        while !content.isEmpty {
            // A full chunk is sealed only when more follows: until then it may be the last.
            if rest.count == SealedForm.chunk { sealed += try push(final: false) }
            let room = min(SealedForm.chunk - rest.count, content.count)
            rest += content.prefix(room)
            content = content.dropFirst(room)
        }
        return sealed
    }

    /// The last sealed bytes. Nothing may be added after.
    public mutating func finish() throws -> [UInt8] { try push(final: true) }

    private mutating func push(final: Bool) throws -> [UInt8] {
        let tag = final ? crypto_secretstream_xchacha20poly1305_tag_final() : 0
        var sealed = [UInt8](repeating: 0, count: rest.count + SealedForm.overhead)
        let status = crypto_secretstream_xchacha20poly1305_push(
            &state, &sealed, nil, rest, UInt64(rest.count), additional, UInt64(additional.count), tag)
        guard status == 0 else { throw SealingFailure.unusable(reason: "a chunk could not be sealed") }
        rest.withUnsafeMutableBytes { sodium_memzero($0.baseAddress, $0.count) }
        rest.removeAll(keepingCapacity: true)
        return sealed
    }
}
