import Basics

/// Rows to be put by `putNewer`: their keys and values lie in one buffer, so that a row costs no allocation.
///
/// Each value begins with its ``KeyValueStamp``. A batch is used again after ``clear()``.
public struct KeyValueBatch: Sendable {
    /// The longest key that every engine holds, in bytes.
    public static let keyBytesMax = 511
    /// The longest value that every engine holds, in bytes, with its stamp.
    public static let valueBytesMax = 512 << 20

    struct Row: Sendable {
        /// Where the key begins; the value follows it.
        let start: Int
        let keyCount: Int
        let valueCount: Int
        /// Milliseconds since 1970, 0 for never.
        let expiresAt: Int64

        var end: Int { start + keyCount + valueCount }
    }

    private(set) var bytes: [UInt8] = []
    private(set) var rows: [Row] = []

    public init() {}

    /// Rows in the batch.
    public var count: Int { rows.count }

    public var isEmpty: Bool { rows.isEmpty }

    /// Bytes of all keys and values.
    public var byteCount: Int { bytes.count }

    /// Makes room for so many rows, and bytes of keys and values together.
    public mutating func reserve(rows count: Int, bytes byteCount: Int) {
        rows.reserveCapacity(count)
        bytes.reserveCapacity(byteCount)
    }

    /// Adds a row.
    /// - Parameters:
    ///   - key: 1 to 511 bytes.
    ///   - value: the stamp and what follows it.
    ///   - expiresAt: when a server may drop the row, in milliseconds since 1970; nil for never. It must not fall as the
    ///     stamps of a key rise: a dropped value is no longer there to be compared with. LMDB drops nothing by itself.
    /// - Throws: `KeyValueFailure.keyLength`, `.valueLength`; the batch is as before.
    public mutating func append(
        key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, expiresAt: Int64? = nil
    ) throws {
        try add(key, value, UnsafeRawBufferPointer(start: nil, count: 0), expiresAt)
    }

    /// Adds a row whose value is the stamp followed by `payload`; see ``append(key:value:expiresAt:)``.
    public mutating func append(
        key: UnsafeRawBufferPointer, stamp: KeyValueStamp, payload: UnsafeRawBufferPointer, expiresAt: Int64? = nil
    ) throws {
        try stamp.withUnsafeBytes { try add(key, $0, payload, expiresAt) }
    }

    /// Adds a row whose value is the stamp followed by `payload`; see ``append(key:value:expiresAt:)``.
    public mutating func append(
        key: [UInt8], stamp: KeyValueStamp, payload: [UInt8], expiresAt: Int64? = nil
    ) throws {
        try key.withUnsafeBytes { key in
            try payload.withUnsafeBytes { try append(key: key, stamp: stamp, payload: $0, expiresAt: expiresAt) }
        }
    }

    /// Removes all rows and keeps the room they took.
    public mutating func clear() {
        rows.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
    }

    private mutating func add(
        _ key: UnsafeRawBufferPointer, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer,
        _ expiresAt: Int64?
    ) throws {
        guard !key.isEmpty, key.count <= Self.keyBytesMax else {
            throw KeyValueFailure.keyLength(bytes: key.count, limit: Self.keyBytesMax)
        }
        let valueCount = first.count.addingReportingOverflow(second.count).partialValue
        guard first.count >= KeyValueStamp.byteCount, (0...Self.valueBytesMax).contains(valueCount) else {
            throw KeyValueFailure.valueLength(
                bytes: valueCount, minimum: KeyValueStamp.byteCount, limit: Self.valueBytesMax)
        }
        rows.append(
            Row(
                start: bytes.count, keyCount: key.count, valueCount: valueCount,
                // A moment before 1970 is as far in the past as the first after it.
                expiresAt: expiresAt.map { max(1, $0) } ?? 0))
        bytes.append(contentsOf: key)
        bytes.append(contentsOf: first)
        bytes.append(contentsOf: second)
    }
}

/// What became of the rows of a batch.
public struct KeyValuePutCount: Sendable, Hashable {
    /// Rows that were put.
    public var put: Int
    /// Rows that were not, because what is stored is newer, or as new and was to be kept.
    public var skipped: Int

    public init(put: Int = 0, skipped: Int = 0) {
        self.put = put
        self.skipped = skipped
    }

    public static func += (left: inout KeyValuePutCount, right: KeyValuePutCount) {
        left.put += right.put
        left.skipped += right.skipped
    }
}

/// What one step of a sweep did.
public struct KeyValueSweep: Sendable, Hashable {
    /// Entries looked at.
    public let examined: Int
    /// Entries deleted.
    public let deleted: Int
    /// Where the next step goes on; nil at the end. What it holds is the engine's.
    public let next: [UInt8]?
}
