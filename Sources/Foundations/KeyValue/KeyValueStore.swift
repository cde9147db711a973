import Basics

/// A named set of keys in a store.
public struct KeyValueTable: Sendable, Hashable {
    public let name: String
    /// What the store that made it knows the table by, as long as it is open: a number, or what its keys begin with.
    let handle: UInt32
    let prefix: [UInt8]

    init(name: String, handle: UInt32 = 0, prefix: [UInt8] = []) {
        self.name = name
        self.handle = handle
        self.prefix = prefix
    }
}

/// What a store tells about itself.
public struct KeyValueStatistics: Sendable, Hashable {
    /// Entries in the table.
    public let entries: Int
    /// Bytes of the store in use by all tables; of a server by all its users.
    public let usedBytes: Int
    /// Bytes the store may use before it has to grow; of a server the memory it may use.
    public let mapBytes: Int
}

/// A view of a store for the length of one closure.
///
/// Of LMDB it is one consistent state. Of Redis each call sees the newest values: the keys of one `withValues` are of one
/// state on a single server and may be of several on a cluster.
public protocol KeyValueReading {
    /// Hands over the value of a key, or nil where there is none. The memory is valid until `body` returns.
    func withValue<Result>(
        _ key: UnsafeRawBufferPointer, in table: KeyValueTable, _ body: (UnsafeRawBufferPointer?) throws -> Result
    ) throws -> Result

    /// Hands over the values of several keys, or nil where there is none: each index once, in no particular order, in one
    /// round trip where the store is remote. The memory is valid until `body` returns.
    func withValues(
        _ keys: UnsafeBufferPointer<UnsafeRawBufferPointer>, in table: KeyValueTable,
        _ body: (Int, UnsafeRawBufferPointer?) throws -> Void
    ) throws

    /// Hands over the entries whose keys start with `prefix`, in ascending order of the keys' bytes, until `body` returns
    /// false. An empty prefix means all entries. Inside a change, `body` must not change the table.
    ///
    /// On Redis this walks all keys of the servers and collects the ones wanted: an operator's tool, not for requests.
    /// Entries that come or go meanwhile may be missed.
    func forEach(
        prefix: UnsafeRawBufferPointer, in table: KeyValueTable,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Bool
    ) throws
}

/// One change, made wholly or not at all where the store `isAtomic`. It sees what it has itself put.
public protocol KeyValueWriting: KeyValueReading {
    /// Sets the value of a key.
    func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, in table: KeyValueTable) throws

    /// Removes a key.
    /// - Returns: whether it was there.
    @discardableResult
    func delete(_ key: UnsafeRawBufferPointer, in table: KeyValueTable) throws -> Bool

    /// Removes all entries of a table. On Redis entries that others add meanwhile may stay.
    func clear(_ table: KeyValueTable) throws
}

/// A map from bytes to bytes, with tables. Every method throws `KeyValueFailure`.
public protocol KeyValueStore: Sendable {
    /// Whether a read never waits for a network.
    var isLocal: Bool { get }

    /// Whether a change of any keys is made wholly or not at all, and not at all where others changed what it had read.
    ///
    /// True for LMDB and for a single Redis server. On a Redis cluster the same holds for a change whose keys all lie in
    /// one slot (a namespace in braces puts all of them there). Any other change is atomic slot by slot: the slots
    /// change one after another in the order of their first put, the nodes at the same time, what it reads is not guarded
    /// against others, and after a failure some slots may have changed.
    var isAtomic: Bool { get }

    /// The table of this name, made when there is none.
    func table(_ name: String) async throws -> KeyValueTable

    /// Makes one change. `body` may be run again when the store has to grow, when others changed what it had read, or when
    /// a connection was lost before anything was changed, so it must do nothing but change the store.
    ///
    /// A connection lost while the change is made leaves open whether it was. A change that read nothing is then made
    /// again, which does no harm; one that read something ends with `KeyValueFailure.inDoubt`. Deleting counts as reading.
    @discardableResult
    func write<Result: Sendable>(
        _ body: @escaping @Sendable (any KeyValueWriting) throws -> Result
    ) async throws -> Result

    /// Puts each row where nothing is stored, or nothing with a larger stamp: whoever puts, from however many processes, in
    /// whatever order and however often again, a key ends with the value of the largest stamp ever put.
    ///
    /// A stored value without a whole stamp counts as older. Rows are put as if one after another in the order of the
    /// batch, each for itself: reads may see some of them, and after a failure some may have been put; putting the batch
    /// again does no harm. LMDB rewrites each page that a batch touches, so batches of keys that follow one another are up to
    /// ten times faster than keys in no order; of those 100,000 to 200,000 rows at once are good.
    ///
    /// A connection that is lost on the way is made anew until the write timeout; rows that were put before it was lost
    /// are then counted by what is found the second time.
    /// - Parameter replacingEqual: whether a stored value with the same stamp is replaced.
    /// - Throws: `KeyValueFailure`.
    @discardableResult
    func putNewer(
        _ batch: KeyValueBatch, in table: KeyValueTable, replacingEqual: Bool
    ) async throws -> KeyValuePutCount

    /// One step of deleting the entries whose keys start with `prefix` and whose stamps are below `stamp`. Values without a
    /// whole stamp stay. What is put meanwhile with a larger stamp stays as well.
    /// - Parameters:
    ///   - limit: about how many entries to look at, 1 to 100,000; on Redis entries of any table. Changes wait meanwhile.
    ///   - position: the `next` of the step before; nil for the first.
    /// - Throws: `KeyValueFailure`.
    func sweep(
        _ table: KeyValueTable, prefix: [UInt8], olderThan stamp: KeyValueStamp, limit: Int, from position: [UInt8]?
    ) async throws -> KeyValueSweep

    /// Reads on the caller's thread, without waiting for changes. Reads must be short and must not be nested. Where the
    /// store is not local, the thread waits for the network, so it must be none of the cooperative pool.
    func read<Result>(_ body: (any KeyValueReading) throws -> Result) throws -> Result

    /// Counts a table. On Redis this walks all keys; see ``KeyValueReading/forEach(prefix:in:_:)``.
    func statistics(_ table: KeyValueTable) throws -> KeyValueStatistics

    /// Looks at the engine: its version, how fast it answers, and settings that endanger what is stored.
    func check() async throws -> KeyValueCheck

    /// Ends the store's connections and files after the changes under way. Whoever uses it later gets
    /// `KeyValueFailure.closed`.
    func close() async throws
}

extension KeyValueStore {
    /// Puts each row where nothing is stored, or nothing with a larger stamp.
    @discardableResult
    public func putNewer(_ batch: KeyValueBatch, in table: KeyValueTable) async throws -> KeyValuePutCount {
        try await putNewer(batch, in: table, replacingEqual: true)
    }

    /// Deletes all entries whose keys start with `prefix` and whose stamps are below `stamp`, step by step.
    /// - Returns: how many.
    @discardableResult
    public func sweep(
        _ table: KeyValueTable, prefix: [UInt8] = [], olderThan stamp: KeyValueStamp
    ) async throws -> Int {
        var deleted = 0
        var position: [UInt8]?
        repeat {
            let step = try await sweep(table, prefix: prefix, olderThan: stamp, limit: 10_000, from: position)
            deleted += step.deleted
            position = step.next
        } while position != nil
        return deleted
    }
}

extension KeyValueReading {
    /// A copy of the value of a key, or nil where there is none.
    public func value(_ key: [UInt8], in table: KeyValueTable) throws -> [UInt8]? {
        try key.withUnsafeBytes { try withValue($0, in: table) { $0.map { [UInt8]($0) } } }
    }

    /// Copies of the values of several keys, nil where there is none.
    public func values(_ keys: [[UInt8]], in table: KeyValueTable) throws -> [[UInt8]?] {
        var found = [[UInt8]?](repeating: nil, count: keys.count)
        let bytes = keys.flatMap { $0 }
        try bytes.withUnsafeBytes { bytes in
            var start = 0
            let views = keys.map { key in
                defer { start += key.count }
                return UnsafeRawBufferPointer(rebasing: bytes[start..<start + key.count])
            }
            try views.withUnsafeBufferPointer { views in
                try withValues(views, in: table) { index, value in found[index] = value.map { [UInt8]($0) } }
            }
        }
        return found
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
