import CSQLite

/// A prepared statement and the names of its columns.
final class SQLiteStatement {
    let handle: OpaquePointer
    let sql: String
    /// Whether the engine's count of changed rows is about this statement.
    let changesRows: Bool
    var lastUse: UInt64 = 0
    private var layout: Row.Layout

    init(_ handle: OpaquePointer, sql: String, changesRows: Bool) {
        self.handle = handle
        self.sql = sql
        self.changesRows = changesRows
        layout = SQLiteStatement.layout(handle)
    }

    deinit { sqlite3_finalize(handle) }

    func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    func bind(_ parameters: [SQLValue]) throws {
        let wanted = Int(sqlite3_bind_parameter_count(handle))
        guard parameters.count == wanted else {
            throw SQLFailure.statement(
                sql: sql, reason: "it takes \(wanted) parameters, \(parameters.count) were given")
        }
        // The engine copies text and bytes: they need not outlive this call.
        let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        for (offset, value) in parameters.enumerated() {
            try value.check(index: offset + 1, sql: sql)
            let index = Int32(clamping: offset + 1)
            let code: Int32
            switch value {
            case .null: code = sqlite3_bind_null(handle, index)
            case .integer(let number): code = sqlite3_bind_int64(handle, index, number)
            case .double(let number): code = sqlite3_bind_double(handle, index, number.withoutNegativeZero)
            case .text(var text):
                code = text.withUTF8 { bytes in
                    bytes.withMemoryRebound(to: CChar.self) {
                        $0.isEmpty
                            ? sqlite3_bind_text(handle, index, "", 0, copied)
                            : sqlite3_bind_text64(
                                handle, index, $0.baseAddress, UInt64($0.count), copied, UInt8(SQLITE_UTF8))
                    }
                }
            case .blob(let bytes):
                code =
                    bytes.isEmpty
                    ? sqlite3_bind_zeroblob(handle, index, 0)
                    : bytes.withUnsafeBytes {
                        sqlite3_bind_blob64(handle, index, $0.baseAddress, UInt64($0.count), copied)
                    }
            }
            guard code == SQLITE_OK else {
                throw SQLFailure.parameter(index: offset + 1, sql: sql, reason: "is too large to store")
            }
        }
    }

    /// The row the statement stands on.
    func row() -> Row {
        let count = sqlite3_column_count(handle)
        // A cached statement is prepared anew by the engine when the schema changes, and '*' may then mean more columns.
        if layout.names.count != Int(count) { layout = SQLiteStatement.layout(handle) }
        var values: [SQLValue] = []
        values.reserveCapacity(Int(count))
        for index in 0..<count { values.append(value(index)) }
        return Row(layout: layout, values: values)
    }

    private func value(_ index: Int32) -> SQLValue {
        switch sqlite3_column_type(handle, index) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, index))
        case SQLITE_FLOAT: return .double(sqlite3_column_double(handle, index))
        case SQLITE_TEXT:
            guard let start = sqlite3_column_text(handle, index) else { return .text("") }
            let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, index)))
            return .text(String(decoding: bytes, as: UTF8.self))
        case SQLITE_BLOB:
            guard let start = sqlite3_column_blob(handle, index) else { return .blob([]) }
            return .blob([UInt8](UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, index)))))
        default: return .null
        }
    }

    private static func layout(_ handle: OpaquePointer) -> Row.Layout {
        Row.Layout(
            (0..<sqlite3_column_count(handle)).map { index in
                sqlite3_column_name(handle, index).map { String(cString: $0) } ?? ""
            })
    }
}
