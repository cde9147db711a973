import CCrypto

/// An MD5 sum, as other programs name content by. It is no proof against anyone who wants two contents of one name.
public struct MD5: Hashable, Sendable, CustomStringConvertible {
    /// Lower-case hexadecimal, always 32 characters.
    public let hex: String

    /// Parses 32 hexadecimal digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            return nil
        }
        hex = String(text)
    }

    /// The sum of `bytes`.
    public init(of bytes: [UInt8]) {
        var builder = Builder()
        bytes.withUnsafeBytes { builder.update($0) }
        self = builder.finish()
    }

    fileprivate init(finishing hash: OpaquePointer?) {
        let alphabet = Array("0123456789abcdef".utf8)
        hex = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { raw in
            raw.initialize(repeating: 0)
            mw_md5_finish(hash, raw.baseAddress)
            return String(decoding: raw.flatMap { [alphabet[Int($0 >> 4)], alphabet[Int($0 & 15)]] }, as: UTF8.self)
        }
    }

    public var description: String { hex }

    /// A sum computed piece by piece.
    public struct Builder: ~Copyable {
        private let hash: OpaquePointer?
        private var finished = false

        public init() { hash = mw_md5_new() }

        public mutating func update(_ bytes: UnsafeRawBufferPointer) {
            mw_md5_update(hash, bytes.baseAddress, bytes.count)
        }

        public consuming func finish() -> MD5 {
            finished = true
            return MD5(finishing: hash)
        }

        deinit {
            guard !finished else { return }
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { mw_md5_finish(hash, $0.baseAddress) }
        }
    }
}
