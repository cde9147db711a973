/// What orders the values of a key: 16 bytes at the start of each value, the larger the newer.
///
/// The bytes are two big-endian numbers, so comparing them byte by byte gives the order of the stamps. What they mean is
/// the caller's: event time and then created time, for one.
public struct KeyValueStamp: Sendable, Hashable, Comparable {
    /// Bytes of a stamp.
    public static let byteCount = 16

    /// What is compared first.
    public let high: UInt64
    /// What decides where `high` is equal.
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A stamp of two signed numbers, such as times in microseconds; the first is compared first.
    public init(_ first: Int64, _ second: Int64) {
        // Turning the sign bit makes the order of unsigned numbers that of signed ones.
        high = UInt64(bitPattern: first) ^ (1 << 63)
        low = UInt64(bitPattern: second) ^ (1 << 63)
    }

    /// The stamp at the start of a value; nil where it has fewer than 16 bytes.
    public init?(of value: UnsafeRawBufferPointer) {
        guard value.count >= Self.byteCount else { return nil }
        high = UInt64(bigEndian: value.loadUnaligned(as: UInt64.self))
        low = UInt64(bigEndian: value.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// The 16 bytes that a value begins with.
    public var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    /// The two numbers the stamp was made of by ``init(_:_:)``.
    public var numbers: (first: Int64, second: Int64) {
        (Int64(bitPattern: high ^ (1 << 63)), Int64(bitPattern: low ^ (1 << 63)))
    }

    /// Hands over the 16 bytes that a value begins with; valid until `body` returns.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try Swift.withUnsafeBytes(of: (high.bigEndian, low.bigEndian), body)
    }

    public static func < (left: KeyValueStamp, right: KeyValueStamp) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }
}
