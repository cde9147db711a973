import Basics
import CLMDB

/// A read or a change of the engine.
struct LMDBTransaction: KeyValueWriting {
    let environment: LMDBEnvironment
    let pointer: OpaquePointer

    func withValue<Result>(
        _ key: UnsafeRawBufferPointer, in table: KeyValueTable, _ body: (UnsafeRawBufferPointer?) throws -> Result
    ) throws -> Result {
        // The engine refuses keys it could not hold; such a key has no value.
        guard !key.isEmpty else { return try body(nil) }
        var wanted = LMDBTransaction.value(key)
        var found = MDB_val()
        let code = mdb_get(pointer, table.handle, &wanted, &found)
        if code == MDB_NOTFOUND || code == MDB_BAD_VALSIZE { return try body(nil) }
        try environment.check(code, "reading a key")
        return try body(UnsafeRawBufferPointer(start: found.mv_data, count: found.mv_size))
    }

    func withValues(
        _ keys: UnsafeBufferPointer<UnsafeRawBufferPointer>, in table: KeyValueTable,
        _ body: (Int, UnsafeRawBufferPointer?) throws -> Void
    ) throws {
        for index in keys.indices { try withValue(keys[index], in: table) { try body(index, $0) } }
    }

    func forEach(
        prefix: UnsafeRawBufferPointer, in table: KeyValueTable,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        var opened: OpaquePointer?
        try environment.check(mdb_cursor_open(pointer, table.handle, &opened), "opening a cursor")
        defer { mdb_cursor_close(opened) }
        var key = LMDBTransaction.value(prefix)
        var value = MDB_val()
        var code = mdb_cursor_get(opened, &key, &value, prefix.isEmpty ? MDB_FIRST : MDB_SET_RANGE)
        while code == MDB_SUCCESS {
            let found = UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size)
            guard found.starts(with: prefix) else { return }
            guard try body(found, UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)) else { return }
            code = mdb_cursor_get(opened, &key, &value, MDB_NEXT)
        }
        if code != MDB_NOTFOUND { try environment.check(code, "moving a cursor") }
    }

    func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, in table: KeyValueTable) throws {
        guard !key.isEmpty, key.count <= environment.keyLimit else {
            throw KeyValueFailure.keyLength(bytes: key.count, limit: environment.keyLimit)
        }
        var key = LMDBTransaction.value(key)
        var value = LMDBTransaction.value(value)
        try environment.check(mdb_put(pointer, table.handle, &key, &value, 0), "putting a key")
    }

    func delete(_ key: UnsafeRawBufferPointer, in table: KeyValueTable) throws -> Bool {
        guard !key.isEmpty else { return false }
        var key = LMDBTransaction.value(key)
        let code = mdb_del(pointer, table.handle, &key, nil)
        if code == MDB_NOTFOUND || code == MDB_BAD_VALSIZE { return false }
        try environment.check(code, "deleting a key")
        return true
    }

    func clear(_ table: KeyValueTable) throws {
        try environment.check(mdb_drop(pointer, table.handle, 0), "clearing a table")
    }

    static func value(_ bytes: UnsafeRawBufferPointer) -> MDB_val {
        MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
    }
}
