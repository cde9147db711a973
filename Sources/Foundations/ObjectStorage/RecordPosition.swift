/// A place in a record log: how many bytes were ever appended before it. It stays valid when old segments are removed.
public struct RecordPosition: Hashable, Comparable, Sendable, Codable {
    public let offset: Int64

    public init(offset: Int64) { self.offset = offset }

    public static let start = RecordPosition(offset: 0)

    public static func < (left: RecordPosition, right: RecordPosition) -> Bool { left.offset < right.offset }
}

/// One record as it is read back.
public struct LoggedRecord {
    public let position: RecordPosition
    /// Where the record after this one starts.
    public let next: RecordPosition
    /// The record, valid until the closure it was handed to returns.
    public let bytes: UnsafeRawBufferPointer

    /// A record that was kept elsewhere than in a log.
    public init(position: RecordPosition, next: RecordPosition, bytes: UnsafeRawBufferPointer) {
        self.position = position
        self.next = next
        self.bytes = bytes
    }
}
