import CCrypto

/// A SHA-256 digest: the name of a dataset version, definition, bundle or report is the digest of its content.
public struct Digest: Hashable, Sendable, Comparable {
    /// Lower-case hexadecimal, always 64 characters.
    public let hex: String

    /// Parses 64 hexadecimal digits, with or without a leading `sha256:`.
    public init?(_ text: some StringProtocol) {
        let digits = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : String(text)
        guard digits.utf8.count == 64,
            digits.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return nil }
        hex = digits
    }

    /// The digest of `bytes`.
    public init(of bytes: UnsafeRawBufferPointer) {
        hex = Digest.hexadecimal { mw_sha256_once(bytes.baseAddress, bytes.count, $0) }
    }

    /// The digest of `bytes`.
    public init(of bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { Digest(of: $0) }
    }

    /// The digest of the UTF-8 bytes of `text`.
    public init(of text: String) {
        self.init(of: Array(text.utf8))
    }

    fileprivate init(finishing hash: OpaquePointer?) {
        hex = Digest.hexadecimal { mw_sha256_finish(hash, $0) }
    }

    /// The first 12 digits: enough to tell things apart for a person.
    public var short: String { String(hex.prefix(12)) }

    public static func < (left: Digest, right: Digest) -> Bool { left.hex < right.hex }

    private static func hexadecimal(_ fill: (UnsafeMutablePointer<UInt8>) -> Void) -> String {
        let alphabet = Array("0123456789abcdef".utf8)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { raw in
            raw.initialize(repeating: 0)
            if let base = raw.baseAddress { fill(base) }
            return String(unsafeUninitializedCapacity: 64) { text in
                for (index, byte) in raw.enumerated() {
                    text[2 * index] = alphabet[Int(byte >> 4)]
                    text[2 * index + 1] = alphabet[Int(byte & 15)]
                }
                return 64
            }
        }
    }

    /// A digest computed piece by piece.
    public struct Builder: ~Copyable {
        private let hash: OpaquePointer?
        private var finished = false

        public init() { hash = mw_sha256_new() }

        public mutating func update(_ bytes: UnsafeRawBufferPointer) {
            mw_sha256_update(hash, bytes.baseAddress, bytes.count)
        }

        public mutating func update(_ bytes: [UInt8]) {
            bytes.withUnsafeBytes { mw_sha256_update(hash, $0.baseAddress, $0.count) }
        }

        public mutating func update(_ text: String) { update(Array(text.utf8)) }

        public consuming func finish() -> Digest {
            finished = true
            return Digest(finishing: hash)
        }

        deinit {
            guard !finished else { return }
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { mw_sha256_finish(hash, $0.baseAddress) }
        }
    }
}

extension Digest: CustomStringConvertible {
    public var description: String { "sha256:\(hex)" }
}

extension Digest: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let digest = Digest(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is no SHA-256 digest")
        }
        self = digest
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
