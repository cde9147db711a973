/// Values by key, read in well under a microsecond and written in transactions.
///
/// Keys are 1 to 511 bytes, in byte order; values are any bytes.
public protocol KeyValueStore: Sendable {
    /// Changes several keys as one: all of it is visible to readers at once, or none.
    func write(_ body: @escaping @Sendable (any KeyValueWriter) throws -> Void) async throws

    /// Reads a consistent state, on the caller's own thread. The reader must not leave `body`.
    func read<Value>(_ body: (any KeyValueReader) throws -> Value) throws -> Value
}

/// Reads within one consistent state.
public protocol KeyValueReader {
    /// Gives the value of a key, or nil, to `body`; the bytes are valid only within it.
    func withValue<Value>(_ key: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer?) throws -> Value) throws -> Value

    /// Gives every key that begins with `prefix` and its value, in key order, until `body` returns false.
    func forEach(prefix: [UInt8], _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool) throws
}

/// Changes within one transaction.
public protocol KeyValueWriter: KeyValueReader {
    func put(_ key: [UInt8], _ value: [UInt8]) throws
    /// Removes a key; removing one that is not there changes nothing.
    func delete(_ key: [UInt8]) throws
}
