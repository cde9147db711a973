import Basics

/// A named set of keys in a store.
public struct KeyValueTable: Sendable, Hashable {
    public let name: String
    /// The number the store knows the table by, valid for that store as long as it is open.
    let handle: UInt32
}

/// What a store tells about itself.
public struct KeyValueStatistics: Sendable, Hashable {
    /// Entries in the table.
    public let entries: Int
    /// Bytes of the store in use by all tables.
    public let usedBytes: Int
    /// Bytes the store may use before it has to grow.
    public let mapBytes: Int
}

/// A consistent view of a store for the length of one closure.
public protocol KeyValueReading {
    /// Hands over the value of a key, or nil where there is none. The memory is valid until `body` returns.
    func withValue<Result>(
        _ key: UnsafeRawBufferPointer, in table: KeyValueTable, _ body: (UnsafeRawBufferPointer?) throws -> Result
    ) throws -> Result

    /// Hands over the entries whose keys start with `prefix`, in ascending order of the keys' bytes, until `body` returns
    /// false. An empty prefix means all entries. Inside a change, `body` must not change the table.
    func forEach(
        prefix: UnsafeRawBufferPointer, in table: KeyValueTable,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Bool
    ) throws
}

/// One change, made wholly or not at all. It sees what it has itself put.
public protocol KeyValueWriting: KeyValueReading {
    /// Sets the value of a key.
    func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, in table: KeyValueTable) throws

    /// Removes a key.
    /// - Returns: whether it was there.
    @discardableResult
    func delete(_ key: UnsafeRawBufferPointer, in table: KeyValueTable) throws -> Bool

    /// Removes all entries of a table.
    func clear(_ table: KeyValueTable) throws
}

/// An ordered map from bytes to bytes, with tables. Every method throws `KeyValueFailure`.
public protocol KeyValueStore: Sendable {
    /// The table of this name, made when there is none.
    func table(_ name: String) async throws -> KeyValueTable

    /// Makes one change. `body` may be run again when the store has to grow, so it must do nothing but change the store.
    @discardableResult
    func write<Result: Sendable>(
        _ body: @escaping @Sendable (any KeyValueWriting) throws -> Result
    ) async throws -> Result

    /// Reads on the caller's thread, without waiting for changes. Reads must be short and must not be nested.
    func read<Result>(_ body: (any KeyValueReading) throws -> Result) throws -> Result

    func statistics(_ table: KeyValueTable) throws -> KeyValueStatistics
}

extension KeyValueReading {
    /// A copy of the value of a key, or nil where there is none.
    public func value(_ key: [UInt8], in table: KeyValueTable) throws -> [UInt8]? {
        try key.withUnsafeBytes { try withValue($0, in: table) { $0.map { [UInt8]($0) } } }
    }

    /// Copies of the entries whose keys start with `prefix`, in ascending order of the keys' bytes.
    public func entries(
        prefix: [UInt8], in table: KeyValueTable, limit: Int = .max
    ) throws -> [(key: [UInt8], value: [UInt8])] {
        var found: [(key: [UInt8], value: [UInt8])] = []
        guard limit > 0 else { return found }
        try prefix.withUnsafeBytes {
            try forEach(prefix: $0, in: table) { key, value in
                found.append(([UInt8](key), [UInt8](value)))
                return found.count < limit
            }
        }
        return found
    }
}

extension KeyValueWriting {
    public func put(_ key: [UInt8], _ value: [UInt8], in table: KeyValueTable) throws {
        try key.withUnsafeBytes { key in try value.withUnsafeBytes { try put(key, $0, in: table) } }
    }

    @discardableResult
    public func delete(_ key: [UInt8], in table: KeyValueTable) throws -> Bool {
        try key.withUnsafeBytes { try delete($0, in: table) }
    }
}
