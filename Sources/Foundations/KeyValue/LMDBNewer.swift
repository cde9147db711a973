import Basics
import CLMDB
import Foundation

/// Changes that look at the stamps of what is stored.
extension LMDBTransaction {
    /// Puts the rows whose stamp is not below that of what is stored.
    /// - Parameter order: rows in ascending order of their keys, which lets the cursor stay on its page.
    func putNewer(
        _ batch: KeyValueBatch, _ order: ArraySlice<Int>, in table: KeyValueTable, replacingEqual: Bool
    ) throws -> KeyValuePutCount {
        try withCursor(table) { cursor in
            try batch.bytes.withUnsafeBytes { bytes in
                var count = KeyValuePutCount()
                for index in order {
                    let row = batch.rows[index]
                    let new = batch.value(of: row, in: bytes)
                    var key = LMDBTransaction.value(batch.key(of: row, in: bytes))
                    var value = LMDBTransaction.value(new)
                    var code = mdb_cursor_put(cursor, &key, &value, UInt32(MDB_NOOVERWRITE))
                    if code == MDB_KEYEXIST {
                        let old = UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
                        guard Self.wins(new, over: old, replacingEqual: replacingEqual) else {
                            count.skipped += 1
                            continue
                        }
                        value = LMDBTransaction.value(new)
                        code = mdb_cursor_put(cursor, &key, &value, UInt32(MDB_CURRENT))
                    }
                    try environment.check(code, "putting a row")
                    count.put += 1
                }
                return count
            }
        }
    }

    /// Deletes entries whose stamp is below `stamp`, looking at `limit` of them at most.
    func sweep(
        _ table: KeyValueTable, prefix: [UInt8], olderThan stamp: KeyValueStamp, limit: Int, from position: [UInt8]?
    ) throws -> KeyValueSweep {
        try withCursor(table) { cursor in
            var examined = 0
            var deleted = 0
            var value = MDB_val()
            var key = MDB_val()
            let start = position ?? prefix
            var code = start.withUnsafeBytes { bytes in
                key = LMDBTransaction.value(bytes)
                return mdb_cursor_get(cursor, &key, &value, bytes.isEmpty ? MDB_FIRST : MDB_SET_RANGE)
            }
            while code == MDB_SUCCESS {
                let found = UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size)
                guard found.starts(with: prefix) else { break }
                guard examined < limit else {
                    return KeyValueSweep(examined: examined, deleted: deleted, next: [UInt8](found))
                }
                examined += 1
                let stored = UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
                if let own = KeyValueStamp(of: stored), own < stamp {
                    try environment.check(mdb_cursor_del(cursor, 0), "deleting an old entry")
                    deleted += 1
                }
                code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
            }
            if code != MDB_SUCCESS, code != MDB_NOTFOUND { try environment.check(code, "moving a cursor") }
            return KeyValueSweep(examined: examined, deleted: deleted, next: nil)
        }
    }

    private func withCursor<Result>(
        _ table: KeyValueTable, _ body: (OpaquePointer?) throws -> Result
    ) throws -> Result {
        var opened: OpaquePointer?
        try environment.check(mdb_cursor_open(pointer, table.handle, &opened), "opening a cursor")
        defer { mdb_cursor_close(opened) }
        return try body(opened)
    }

    /// Whether a value replaces a stored one; one that has no whole stamp is older than any that does.
    private static func wins(
        _ new: UnsafeRawBufferPointer, over old: UnsafeRawBufferPointer, replacingEqual: Bool
    ) -> Bool {
        guard old.count >= KeyValueStamp.byteCount, let stored = old.baseAddress, let own = new.baseAddress else {
            return true
        }
        let order = memcmp(stored, own, KeyValueStamp.byteCount)
        return order == 0 ? replacingEqual : order < 0
    }
}
