import Basics
import CLMDB
import Foundation
import Synchronization

/// A key-value store in a memory-mapped file: LMDB.
///
/// Guarantees: readers never wait, for each other or for the writer; a transaction is whole after a crash of the
/// process, and, where the store is durable, after one of the machine.
public final class LMDBStore: KeyValueStore {
    private let environment: SendablePointer
    private let database: MDB_dbi
    private let path: String
    private let writer = BlockingThread(name: "lmdb")
    /// Read transactions that are not in use, reset so that they hold no old state.
    private let idle = Mutex<[SendablePointer]>([])
    private static let keyBytesMax = 511
    private static let idleMax = 64

    private struct SendablePointer: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    /// Opens the store in a folder that exists.
    ///
    /// - Parameters:
    ///   - mapSizeBytes: the most it may hold; address space, not memory or disk.
    ///   - durable: whether each transaction reaches the disk before `write` returns.
    /// - Throws: ``KeyValueFailure/unusable(path:reason:)``.
    public init(path: String, mapSizeBytes: Int, durable: Bool) throws {
        self.path = path
        func check(_ status: Int32) throws {
            guard status == MDB_SUCCESS else { throw KeyValueFailure(status, path: path) }
        }
        var created: OpaquePointer?
        try check(mdb_env_create(&created))
        guard let created else { throw KeyValueFailure.unusable(path: path, reason: "no environment") }
        var handle: MDB_dbi = 0
        do {
            try check(mdb_env_set_mapsize(created, max(1 << 20, mapSizeBytes)))
            try check(mdb_env_set_maxreaders(created, 512))
            // MDB_NOTLS: a read transaction belongs to who holds it, not to a thread.
            let flags = UInt32(MDB_NOTLS) | (durable ? 0 : UInt32(MDB_NOSYNC))
            try check(mdb_env_open(created, path, flags, 0o644))
            var transaction: OpaquePointer?
            try check(mdb_txn_begin(created, nil, 0, &transaction))
            let status = mdb_dbi_open(transaction, nil, 0, &handle)
            guard status == MDB_SUCCESS else {
                mdb_txn_abort(transaction)
                throw KeyValueFailure(status, path: path)
            }
            try check(mdb_txn_commit(transaction))
        } catch {
            mdb_env_close(created)
            throw error
        }
        environment = SendablePointer(pointer: created)
        database = handle
    }

    deinit {
        for transaction in idle.withLock({ $0 }) { mdb_txn_abort(transaction.pointer) }
        mdb_env_sync(environment.pointer, 1)
        mdb_env_close(environment.pointer)
    }

    public func write(_ body: @escaping @Sendable (any KeyValueWriter) throws -> Void) async throws {
        try await writer.run { [self] in
            var transaction: OpaquePointer?
            let began = mdb_txn_begin(environment.pointer, nil, 0, &transaction)
            guard began == MDB_SUCCESS, let transaction else { throw KeyValueFailure(began, path: path) }
            do {
                try body(LMDBTransaction(transaction: transaction, database: database, path: path))
            } catch {
                mdb_txn_abort(transaction)
                throw error
            }
            let committed = mdb_txn_commit(transaction)
            guard committed == MDB_SUCCESS else { throw KeyValueFailure(committed, path: path) }
        }
    }

    public func read<Value>(_ body: (any KeyValueReader) throws -> Value) throws -> Value {
        let transaction = try borrow()
        defer { giveBack(transaction) }
        return try body(LMDBTransaction(transaction: transaction, database: database, path: path))
    }

    private func borrow() throws -> OpaquePointer {
        if let transaction = idle.withLock({ $0.popLast() }) {
            let status = mdb_txn_renew(transaction.pointer)
            if status == MDB_SUCCESS { return transaction.pointer }
            mdb_txn_abort(transaction.pointer)
        }
        var transaction: OpaquePointer?
        let status = mdb_txn_begin(environment.pointer, nil, UInt32(MDB_RDONLY), &transaction)
        guard status == MDB_SUCCESS, let transaction else { throw KeyValueFailure(status, path: path) }
        return transaction
    }

    private func giveBack(_ transaction: OpaquePointer) {
        mdb_txn_reset(transaction)
        let kept = idle.withLock { idle -> Bool in
            guard idle.count < Self.idleMax else { return false }
            idle.append(SendablePointer(pointer: transaction))
            return true
        }
        if !kept { mdb_txn_abort(transaction) }
    }

    /// How many keys there are.
    public func count() throws -> Int {
        let transaction = try borrow()
        defer { giveBack(transaction) }
        var facts = MDB_stat()
        let status = mdb_stat(transaction, database, &facts)
        guard status == MDB_SUCCESS else { throw KeyValueFailure(status, path: path) }
        return Int(facts.ms_entries)
    }

    private struct LMDBTransaction: KeyValueWriter {
        let transaction: OpaquePointer
        let database: MDB_dbi
        let path: String

        func withValue<Value>(
            _ key: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer?) throws -> Value
        ) throws -> Value {
            guard (1...LMDBStore.keyBytesMax).contains(key.count) else { return try body(nil) }
            var name = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
            var value = MDB_val()
            let status = mdb_get(transaction, database, &name, &value)
            if status == MDB_NOTFOUND { return try body(nil) }
            guard status == MDB_SUCCESS else { throw KeyValueFailure(status, path: path) }
            return try body(UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
        }

        func forEach(
            prefix: [UInt8], _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
        ) throws {
            var cursor: OpaquePointer?
            let opened = mdb_cursor_open(transaction, database, &cursor)
            guard opened == MDB_SUCCESS, let cursor else { throw KeyValueFailure(opened, path: path) }
            defer { mdb_cursor_close(cursor) }
            var key = MDB_val()
            var value = MDB_val()
            var status = prefix.withUnsafeBytes { start -> Int32 in
                guard !start.isEmpty else { return mdb_cursor_get(cursor, &key, &value, MDB_FIRST) }
                key = MDB_val(mv_size: start.count, mv_data: UnsafeMutableRawPointer(mutating: start.baseAddress))
                return mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
            }
            while status == MDB_SUCCESS {
                let name = UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size)
                guard name.starts(with: prefix),
                    try body(name, UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
                else { return }
                status = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
            }
            guard status == MDB_NOTFOUND else { throw KeyValueFailure(status, path: path) }
        }

        func put(_ key: [UInt8], _ value: [UInt8]) throws {
            guard (1...LMDBStore.keyBytesMax).contains(key.count) else {
                throw KeyValueFailure.keyTooLong(bytes: key.count, most: LMDBStore.keyBytesMax)
            }
            let status = key.withUnsafeBytes { key in
                value.withUnsafeBytes { value in
                    var name = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
                    var data = MDB_val(
                        mv_size: value.count, mv_data: UnsafeMutableRawPointer(mutating: value.baseAddress))
                    return mdb_put(transaction, database, &name, &data, 0)
                }
            }
            guard status == MDB_SUCCESS else { throw KeyValueFailure(status, path: path) }
        }

        func delete(_ key: [UInt8]) throws {
            let status = key.withUnsafeBytes { key in
                var name = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
                return mdb_del(transaction, database, &name, nil)
            }
            guard status == MDB_SUCCESS || status == MDB_NOTFOUND else { throw KeyValueFailure(status, path: path) }
        }
    }
}
