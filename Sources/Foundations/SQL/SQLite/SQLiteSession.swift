import Basics
import CSQLite
import Foundation

/// One connection to a SQLite file with its prepared statements. Used by one thread at a time.
final class SQLiteSession: Session {
    let path: String
    private let handle: OpaquePointer
    private var cache: [String: SQLiteStatement] = [:]
    /// Apart from the others, which are screened: a room's own COMMIT must not find one here.
    private var bounds: [String: SQLiteStatement] = [:]
    private var clock: UInt64 = 0
    private static let cacheLimit = 256

    /// Opens the file, creating it when `writable`.
    init(path: String, writable: Bool, busyMilliseconds: Int32) throws {
        self.path = path
        var opened: OpaquePointer?
        let flags = writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
        let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let opened else {
            let reason = opened.map { SQLiteSession.reason($0) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw SQLFailure.cannotOpen(path: path, reason: reason)
        }
        handle = opened
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, busyMilliseconds)
        // As PostgreSQL's.
        try control("PRAGMA case_sensitive_like = ON")
    }

    deinit {
        cache.removeAll()
        bounds.removeAll()
        sqlite3_close_v2(handle)
    }

    /// Whether no transaction is open: true after the engine itself gave one up.
    var isIdle: Bool { sqlite3_get_autocommit(handle) != 0 }

    func clock(_ time: any TimeSource) throws -> Timestamp { time.now }

    /// Runs statements of the database itself, without parameters.
    func control(_ sql: String) throws {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code, sql) }
    }

    /// Begins, marks or ends a part of a transaction: by a statement that is prepared once, as every change needs several.
    func bound(_ sql: String) throws {
        let statement = try bounds[sql] ?? prepare(sql, changesRows: false)
        bounds[sql] = statement
        defer { statement.reset() }
        let code = sqlite3_step(statement.handle)
        guard code == SQLITE_DONE else { throw failure(code, sql) }
    }

    func script(_ sql: String) throws {
        for statement in Dialect.statements(sql) { try Dialect.screen(statement) }
        try control(sql)
    }

    func run(_ sql: String, _ parameters: [SQLValue], _ want: Want, _ body: (Row) throws -> Void) throws -> Int {
        let statement = try take(sql)
        defer { giveBack(statement) }
        try statement.bind(parameters)
        while true {
            let code = sqlite3_step(statement.handle)
            if code == SQLITE_DONE { break }
            guard code == SQLITE_ROW else { throw failure(code, sql) }
            if want == .none || want == .later { continue }
            try body(statement.row())
            if want == .first { break }
        }
        return statement.changesRows && sqlite3_stmt_readonly(statement.handle) == 0
            ? Int(clamping: sqlite3_changes64(handle)) : 0
    }

    /// Takes the prepared statement out of the cache while it is used, so that a nested use of the same text is safe.
    private func take(_ sql: String) throws -> SQLiteStatement {
        if let cached = cache.removeValue(forKey: sql) { return cached }
        return try prepare(sql, changesRows: try Dialect.screen(sql))
    }

    private func prepare(_ sql: String, changesRows: Bool) throws -> SQLiteStatement {
        var prepared: OpaquePointer?
        var hasMore = false
        var text = sql
        let code = text.withUTF8 { bytes -> Int32 in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                var tail: UnsafePointer<CChar>?
                let code = sqlite3_prepare_v3(
                    handle, characters.baseAddress, Int32(clamping: characters.count),
                    UInt32(SQLITE_PREPARE_PERSISTENT),
                    &prepared, &tail)
                if let tail, let base = characters.baseAddress {
                    let rest = bytes.dropFirst(base.distance(to: tail))
                    hasMore = rest.contains { !($0 == 32 || (9...13).contains($0) || $0 == 59) }
                }
                return code
            }
        }
        guard code == SQLITE_OK else { throw failure(code, sql) }
        guard let prepared else { throw SQLFailure.statement(sql: sql, reason: "it is empty") }
        let statement = SQLiteStatement(prepared, sql: sql, changesRows: changesRows)
        if hasMore { throw SQLFailure.statement(sql: sql, reason: "it is more than one statement") }
        return statement
    }

    private func giveBack(_ statement: SQLiteStatement) {
        statement.reset()
        if cache.count >= SQLiteSession.cacheLimit, let oldest = cache.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            cache.removeValue(forKey: oldest.key)
        }
        clock &+= 1
        statement.lastUse = clock
        cache[statement.sql] = statement
    }

    private static func reason(_ handle: OpaquePointer) -> String {
        sqlite3_errmsg(handle).map { String(cString: $0) } ?? "no reason given"
    }

    /// The engine's result code as a failure of ours.
    private func failure(_ code: Int32, _ sql: String) -> SQLFailure {
        let reason = SQLiteSession.reason(handle)
        switch code & 0xFF {
        case SQLITE_FULL: return .diskFull(path: path)
        case SQLITE_READONLY: return .readOnly(path: path)
        case SQLITE_BUSY, SQLITE_LOCKED: return .locked(path: path)
        case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt(path: path, reason: reason)
        case SQLITE_CONSTRAINT: return .constraint(SQLiteSession.rule(code), reason: reason)
        case SQLITE_IOERR, SQLITE_CANTOPEN:
            let system = sqlite3_system_errno(handle)
            if system == ENOSPC || system == EDQUOT { return .diskFull(path: path) }
            if system == EROFS || system == EACCES { return .readOnly(path: path) }
            return .inputOutput(path: path, reason: reason)
        default: return .statement(sql: sql, reason: reason)
        }
    }

    // Numbers from sqlite.org/rescode.html: these macros are sums that do not import.
    private static func rule(_ code: Int32) -> SQLFailure.Rule {
        switch code {
        case 1555, 2067, 2579: .unique
        case 787: .foreignKey
        case 1299: .notNull
        case 275: .check
        default: .other
        }
    }
}
