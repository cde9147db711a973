import Basics
import CLMDB
import Foundation
import Synchronization
import Telemetry

/// A key-value store in one memory-mapped file on this machine, of the LMDB engine.
///
/// Reads are zero-copy, take no lock and never wait for changes. Changes run one after another on a thread of their own.
/// The store survives the death of the process in either mode; with `durable` each change also survives a power cut.
public final class LMDBStore: KeyValueStore {
    private let environment: LMDBEnvironment
    private let slots: ReaderSlots
    private let thread = BlockingThread(name: "keyvalue.writer")
    private let tables = Mutex<[String: KeyValueTable]>([:])
    private let maximumBytes: Int
    private let durable: Bool
    private let metrics: KeyValueMetrics
    private let isClosed = Atomic<Bool>(false)
    /// Rows and bytes of one change of `putNewer`: others wait for it, and it must touch fewer pages than the engine's
    /// 131,072.
    private static let rowsInChange = 32_768
    private static let bytesInChange = 32 << 20

    /// Opens the store, making its folder when there is none; the folder above must exist.
    /// - Parameters:
    ///   - path: the folder.
    ///   - mapSizeBytes: address space to begin with; the file is only as large as its content.
    ///   - maximumBytes: the store doubles its map as it fills, up to this.
    ///   - durable: flush each change to the disk before it is acknowledged.
    ///   - tables: how many tables there can be.
    ///   - metrics: where the store is counted; nil for nowhere.
    /// - Throws: `KeyValueFailure`.
    public init(
        path: String, mapSizeBytes: Int = 1 << 30, maximumBytes: Int = 1 << 40, durable: Bool = true, tables: Int = 128,
        metrics: MetricsRegistry? = nil
    ) throws {
        let page = max(4096, sysconf(Int32(_SC_PAGESIZE)))
        let pages = max(16, mapSizeBytes / page)
        environment = try LMDBEnvironment(
            path: path, mapSizeBytes: pages * page, durable: durable, readers: 512, tables: UInt32(clamping: tables))
        self.maximumBytes = max(maximumBytes, pages * page)
        self.durable = durable
        self.metrics = KeyValueMetrics(metrics, engine: "lmdb")
        slots = ReaderSlots(environment, count: 128, metrics: self.metrics)
    }

    deinit { end() }

    public var isLocal: Bool { true }

    public var isAtomic: Bool { true }

    public func table(_ name: String) async throws -> KeyValueTable {
        if let known = tables.withLock({ $0[name] }) { return known }
        return try await thread.run { [self] in
            let table = try growing {
                try change { transaction in
                    var handle: MDB_dbi = 0
                    try environment.check(
                        mdb_dbi_open(transaction.pointer, name, UInt32(MDB_CREATE), &handle), "opening a table")
                    return KeyValueTable(name: name, handle: handle)
                }
            }
            tables.withLock { $0[name] = table }
            return table
        }
    }

    @discardableResult
    public func write<Result: Sendable>(
        _ body: @escaping @Sendable (any KeyValueWriting) throws -> Result
    ) async throws -> Result {
        let start = SystemTime.monotonicNanoseconds
        return try await thread.run { [self] in
            let result = try growing { try change(body) }
            metrics.writes.increment()
            metrics.writeSeconds.observe(nanoseconds: SystemTime.monotonicNanoseconds - start)
            return result
        }
    }

    @discardableResult
    public func putNewer(
        _ batch: KeyValueBatch, in table: KeyValueTable, replacingEqual: Bool
    ) async throws -> KeyValuePutCount {
        var total = KeyValuePutCount()
        let order = batch.sortedByKey()
        for piece in batch.pieces(of: order, rows: Self.rowsInChange, bytes: Self.bytesInChange) {
            let start = SystemTime.monotonicNanoseconds
            total += try await thread.run { [self] in
                let count = try growing {
                    try change {
                        try $0.putNewer(batch, order[piece], in: table, replacingEqual: replacingEqual)
                    }
                }
                metrics.count(count, since: start)
                return count
            }
        }
        return total
    }

    public func sweep(
        _ table: KeyValueTable, prefix: [UInt8], olderThan stamp: KeyValueStamp, limit: Int, from position: [UInt8]?
    ) async throws -> KeyValueSweep {
        let limit = min(max(1, limit), 100_000)
        return try await thread.run { [self] in
            try growing {
                try change {
                    try $0.sweep(table, prefix: prefix, olderThan: stamp, limit: limit, from: position)
                }
            }
        }
    }

    public func read<Result>(_ body: (any KeyValueReading) throws -> Result) throws -> Result {
        try slots.read(body)
    }

    public func statistics(_ table: KeyValueTable) throws -> KeyValueStatistics {
        try slots.read { transaction in
            var found = MDB_stat()
            try environment.check(mdb_stat(transaction.pointer, table.handle, &found), "counting entries")
            return KeyValueStatistics(
                entries: found.ms_entries, usedBytes: environment.usedBytes, mapBytes: environment.mapBytes)
        }
    }

    /// Flushes what is not on the disk yet; needed only where the store is not durable.
    public func sync() async throws {
        try await thread.run { [self] in
            try open()
            try environment.check(mdb_env_sync(environment.pointer, 1), "flushing")
        }
    }

    public func check() async throws -> KeyValueCheck {
        try await thread.run { [self] in
            try open()
            return try LMDBInspection(
                environment: environment, slots: slots, maximumBytes: maximumBytes, durable: durable
            ).check()
        }
    }

    public func close() async throws {
        try await thread.run { [self] in
            if !durable, !isClosed.load(ordering: .acquiring) {
                try environment.check(mdb_env_sync(environment.pointer, 1), "flushing")
            }
            end()
        }
    }

    /// Ends readers and then the environment, once.
    private func end() {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        slots.close()
        mdb_env_close(environment.pointer)
    }

    private func open() throws {
        guard !isClosed.load(ordering: .acquiring) else { throw KeyValueFailure.closed(store: environment.path) }
    }

    /// One transaction, on the writer's thread.
    private func change<Result>(_ body: (LMDBTransaction) throws -> Result) throws -> Result {
        try open()
        var begun: OpaquePointer?
        try environment.check(mdb_txn_begin(environment.pointer, nil, 0, &begun), "beginning a change")
        guard let begun else {
            throw KeyValueFailure.engine(path: environment.path, action: "beginning a change", reason: "no transaction")
        }
        let result: Result
        do {
            result = try body(LMDBTransaction(environment: environment, pointer: begun))
        } catch {
            mdb_txn_abort(begun)
            throw error
        }
        try environment.check(mdb_txn_commit(begun), "committing")
        return result
    }

    /// Runs `body`, and again with a larger map as long as the map is full.
    private func growing<Result>(_ body: () throws -> Result) throws -> Result {
        while true {
            do {
                return try body()
            } catch KeyValueFailure.mapFull {
                try grow()
            } catch KeyValueFailure.mapGrown {
                // Another process did; zero takes its size over.
                try resize(to: 0)
            }
        }
    }

    private func grow() throws {
        let present = environment.mapBytes
        guard present < maximumBytes else {
            throw KeyValueFailure.mapFull(path: environment.path, limitBytes: maximumBytes)
        }
        try resize(to: present > maximumBytes / 2 ? maximumBytes : present * 2)
    }

    private func resize(to bytes: Int) throws {
        let done: Void? = try slots.exclusively(patience: 2000) {
            try environment.check(mdb_env_set_mapsize(environment.pointer, bytes), "growing the map")
        }
        guard done != nil else {
            throw KeyValueFailure.engine(
                path: environment.path, action: "growing the map", reason: "a read has been going on for 2 seconds")
        }
    }
}
