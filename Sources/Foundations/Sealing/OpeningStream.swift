import Basics
import CSodium

/// Opens sealed bytes piece by piece, holding no more than one chunk.
///
/// Every chunk it gives is authentic and in its place, but only `finish` shows that it was the whole: until then the
/// content must not be acted on.
public struct OpeningStream: ~Copyable {
    private enum Stage {
        case start
        case header(id: Int)
        case chunks, over
    }

    private let keyring: SealingKeyring
    private let context: [UInt8]
    private let what: String
    private var stage = Stage.start
    private var state = crypto_secretstream_xchacha20poly1305_state()
    private var additional: [UInt8] = []
    private var rest: [UInt8] = []

    /// - Parameters:
    ///   - keyring: holds the key that sealed.
    ///   - context: what was given when sealing.
    ///   - what: names the bytes in messages.
    public init(_ keyring: SealingKeyring, context: String = "", what: String = "the sealed content") {
        self.keyring = keyring
        self.context = Array(context.utf8)
        self.what = what
    }

    deinit {
        var state = state
        sodium_memzero(&state, MemoryLayout.size(ofValue: state))
    }

    /// Takes more sealed bytes and gives the content that is open by now, which may be nothing.
    /// - Throws: `SealingFailure`.
    public mutating func update(_ sealed: UnsafeRawBufferPointer) throws -> [UInt8] {
        var sealed = sealed[...]
        var content: [UInt8] = []
        while !sealed.isEmpty {
            if case .over = stage { throw SealingFailure.notAuthentic(what) }
            let room = min(wanted - rest.count, sealed.count)
            rest += sealed.prefix(room)
            sealed = sealed.dropFirst(room)
            if rest.count == wanted { content += try take() }
        }
        return content
    }

    /// The last of the content.
    /// - Throws: `SealingFailure.notAuthentic` where the end was cut off, `.notSealed` where there was not even a start.
    public mutating func finish() throws -> [UInt8] {
        var content: [UInt8] = []
        switch stage {
        case .start: throw SealingFailure.notSealed(what)
        case .header: throw SealingFailure.notAuthentic(what)
        case .chunks: if !rest.isEmpty { content = try take() }
        case .over: break
        }
        guard case .over = stage else { throw SealingFailure.notAuthentic(what) }
        return content
    }

    /// How many bytes the next piece has at most.
    private var wanted: Int {
        switch stage {
        case .start: SealedForm.fixedBytes
        case .header(let id): id + SealedForm.headerBytes
        case .chunks, .over: SealedForm.chunk + SealedForm.overhead
        }
    }

    private mutating func take() throws -> [UInt8] {
        defer { rest.removeAll(keepingCapacity: true) }
        switch stage {
        case .start:
            stage = .header(id: try SealedForm.idLength(rest, of: what))
            return []
        case .header(let length):
            let id = String(decoding: rest.prefix(length), as: UTF8.self)
            guard SealingKeyring.isUsable(id: id) else { throw SealingFailure.notAuthentic(what) }
            guard let key = keyring.key(id) else { throw SealingFailure.unknownKey(id, of: what) }
            let header = Array(rest.dropFirst(length))
            let status = key.withBytes { crypto_secretstream_xchacha20poly1305_init_pull(&state, header, $0) }
            guard status == 0 else { throw SealingFailure.notAuthentic(what) }
            additional = SealedForm.preamble(id: id) + context
            stage = .chunks
            return []
        case .chunks:
            guard rest.count >= SealedForm.overhead else { throw SealingFailure.notAuthentic(what) }
            var content = [UInt8](repeating: 0, count: rest.count - SealedForm.overhead)
            var tag: UInt8 = 0
            let status = crypto_secretstream_xchacha20poly1305_pull(
                &state, &content, nil, &tag, rest, UInt64(rest.count), additional, UInt64(additional.count))
            guard status == 0 else { throw SealingFailure.notAuthentic(what) }
            if tag == crypto_secretstream_xchacha20poly1305_tag_final() {
                stage = .over
            } else if rest.count < wanted || tag != 0 {
                throw SealingFailure.notAuthentic(what)
            }
            return content
        case .over: throw SealingFailure.notAuthentic(what)
        }
    }
}
