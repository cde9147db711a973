import Basics
import CDuckDB
import Synchronization

/// One connection, for blocking use on a thread that may block. Calls from several threads wait for each other.
///
/// Temporary tables belong to the connection. `ColumnarEngine.run` lends one; `ColumnarEngine.connect` opens one to keep.
public final class ColumnarConnection: Sendable {
    private struct Progress {
        var cancelled = false
        var running = false
    }

    private let database: ColumnarDatabase
    // DuckDB lets only `duckdb_interrupt` be called while another thread is inside; `turn` orders all other calls.
    nonisolated(unsafe) let handle: OpaquePointer
    private let turn = Mutex<Void>(())
    private let progress = Mutex(Progress())

    init(_ database: ColumnarDatabase) throws {
        self.database = database
        handle = try database.connect()
        try execute(database.greeting)
    }

    deinit {
        var connection: OpaquePointer? = handle
        duckdb_disconnect(&connection)
    }

    /// Stops the running statement, and makes those after it throw `CancellationError` until `rearm`.
    public func cancel() {
        progress.withLock { progress in
            progress.cancelled = true
            if progress.running { duckdb_interrupt(handle) }
        }
    }

    /// Makes the connection usable again after `cancel`.
    public func rearm() { progress.withLock { $0.cancelled = false } }

    /// Runs one or more statements separated by semicolons and gives the rows of the last.
    ///
    /// - Parameters:
    ///   - sql: the statements; with parameters there may be only one.
    ///   - parameters: values of `$1`, `$2`, ... or of each `?` in order.
    ///   - context: what the SQL came from, named in errors: a file's path, say.
    /// - Throws: `ColumnarFailure`, or `CancellationError` after `cancel`.
    @discardableResult
    public func query(_ sql: String, _ parameters: [ColumnarValue] = [], context: String? = nil) throws -> Table {
        try turn.withLock { _ in
            var table: Table?
            try Statements(sql, on: self, context: context).run(parameters, streaming: false) { result in
                table = try result.drain()
            }
            return try table ?? Table([])
        }
    }

    /// Runs statements for their effect.
    /// - Returns: how many rows the last one inserted, updated or deleted.
    /// - Throws: as `query`.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [ColumnarValue] = [], context: String? = nil) throws -> Int64 {
        try turn.withLock { _ in
            var changed: Int64 = 0
            try Statements(sql, on: self, context: context).run(parameters, streaming: false) { result in
                changed = result.rowsChanged
            }
            return changed
        }
    }

    /// Hands the rows over in tables of at least `batch` rows (the last may have fewer), so that a result larger than
    /// memory can be read. `body` must not use this connection. A query without rows calls `body` not at all.
    /// - Throws: as `query`, and what `body` throws.
    public func stream(
        _ sql: String, _ parameters: [ColumnarValue] = [], batch: Int = 65_536, context: String? = nil,
        _ body: (Table) throws -> Void
    ) throws {
        try turn.withLock { _ in
            try Statements(sql, on: self, context: context).run(parameters, streaming: true) { result in
                try result.batches(of: max(1, batch), body)
            }
        }
    }

    /// Hands the rows over as they lie in the engine, some thousands at a time, without a copy. `body` must not use this
    /// connection, and what it is given is valid until it returns.
    /// - Throws: as `query`, and what `body` throws; `ColumnarFailure` for types that ``ChunkColumn`` has not.
    public func chunks(
        _ sql: String, _ parameters: [ColumnarValue] = [], context: String? = nil,
        _ body: (ColumnarChunk) throws -> Void
    ) throws {
        try turn.withLock { _ in
            try Statements(sql, on: self, context: context).run(parameters, streaming: true) { result in
                try result.chunks(body)
            }
        }
    }

    /// Runs one query whose rows are fetched as they are computed.
    /// - Returns: what `body` counts.
    func results(of sql: String, context: String?, _ body: (QueryResult) throws -> Int64) throws -> Int64 {
        try turn.withLock { _ in
            var count: Int64 = 0
            try Statements(sql, on: self, context: context).run([], streaming: true) { count = try body($0) }
            return count
        }
    }

    /// Makes a view of a stream of Arrow's C interface, which stays the caller's.
    func scan(_ stream: UnsafeMutableRawPointer, as view: String) -> Bool {
        turn.withLock { _ in duckdb_arrow_scan(handle, view, stream) == DuckDBSuccess }
    }

    /// Adds all rows of `table` to a table of the database, by column name; columns not given take their default.
    /// - Throws: `ColumnarFailure` where a column does not exist or a value does not convert; then no row is added.
    public func append(_ table: Table, to name: String) throws {
        try turn.withLock { _ in
            // The appender writes in pieces; the transaction makes them one. Inside of the caller's own, BEGIN is refused
            // and his ROLLBACK does the same.
            let owned = (try? plain("BEGIN")) != nil
            do {
                try begin()
                defer { end() }
                try TableAppender(self, name: name).append(table)
                if owned { try plain("COMMIT") }
            } catch {
                // Straight to the library: after a cancellation our own path refuses everything.
                if owned { _ = duckdb_query(handle, "ROLLBACK", nil) }
                throw error
            }
        }
    }

    /// Makes a table of the database out of `table`, in place of one of that name.
    /// - Throws: `ColumnarFailure`.
    public func store(_ table: Table, as name: String) throws {
        let columns = zip(table.names, table.columns).map { "\(SQLText.identifier($0)) \($1.typeName)" }
        try execute("CREATE OR REPLACE TABLE \(SQLText.identifier(name)) (\(columns.joined(separator: ", ")))")
        try append(table, to: name)
    }

    /// Runs `body` in a transaction, which sees one state of the database throughout, and then undoes what it made there.
    /// - Throws: as `query`, and what `body` throws.
    public func undoing<Result>(_ body: () throws -> Result) throws -> Result {
        try execute("BEGIN")
        // Straight to the library: after a cancellation our own path refuses everything.
        defer { turn.withLock { _ in _ = duckdb_query(handle, "ROLLBACK", nil) } }
        return try body()
    }

    private func plain(_ sql: String) throws {
        try Statements(sql, on: self, context: nil).run([], streaming: false) { _ in }
    }

    /// Marks the start of work that may be interrupted. Called once the library has cleared an earlier interrupt.
    func begin() throws {
        try progress.withLock { progress in
            guard !progress.cancelled else {
                // The library's own threads have started on a pending statement, and would go on with it.
                duckdb_interrupt(handle)
                throw CancellationError()
            }
            progress.running = true
        }
    }

    func end() { progress.withLock { $0.running = false } }

    var isRunning: Bool { progress.withLock(\.running) }

    var isCancelled: Bool { progress.withLock(\.cancelled) }

    /// DuckDB's message as our error; `CancellationError` where we interrupted.
    func failure(_ message: UnsafePointer<CChar>?, _ context: String?) -> any Error {
        if isCancelled { return CancellationError() }
        return ColumnarFailure(duckDB: message.map { String(cString: $0) } ?? "DuckDB failed", context: context)
    }
}
