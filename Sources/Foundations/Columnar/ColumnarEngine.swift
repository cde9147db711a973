import Basics
import Synchronization

/// DuckDB behind Swift's concurrency: SQL in, typed columns out, on threads of its own.
///
/// The library is opened at the first use (about 50 ms). Sessions run in UTC. A task's cancellation interrupts its
/// query. The built-in extensions (parquet, json, icu) are there; none is ever fetched.
public final class ColumnarEngine: Sendable {
    private let options: ColumnarOptions
    private let database = Mutex<ColumnarDatabase?>(nil)
    private let pool: WorkerPool

    public init(_ options: ColumnarOptions) {
        self.options = options
        pool = WorkerPool(size: max(1, options.connections))
    }

    /// Opens a connection to keep, for blocking use on a thread that may block.
    /// - Throws: `ColumnarFailure` where the database can not be opened.
    public func connect() throws -> ColumnarConnection { try ColumnarConnection(open()) }

    /// Lends a connection to `body` on a thread of its own. The body should not leave temporary tables behind.
    /// - Throws: what `body` throws; `CancellationError` where the task was cancelled.
    public func run<Result: Sendable>(
        _ body: @escaping @Sendable (ColumnarConnection) throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        let worker = await pool.lease()
        defer { pool.giveBack(worker) }
        let connection = try await worker.thread.run { try worker.connection(self.connect) }
        connection.rearm()
        return try await withTaskCancellationHandler {
            try await worker.thread.run { try body(connection) }
        } onCancel: {
            connection.cancel()
        }
    }

    /// Runs statements and gives the rows of the last. See `ColumnarConnection.query`.
    public func query(
        _ sql: String, _ parameters: [ColumnarValue] = [], context: String? = nil
    ) async throws -> Table {
        try await run { try $0.query(sql, parameters, context: context) }
    }

    /// Runs statements for their effect and gives how many rows the last changed. See `ColumnarConnection.execute`.
    @discardableResult
    public func execute(
        _ sql: String, _ parameters: [ColumnarValue] = [], context: String? = nil
    ) async throws -> Int64 {
        try await run { try $0.execute(sql, parameters, context: context) }
    }

    /// Hands rows over table by table, on the query's own thread. See `ColumnarConnection.stream`.
    public func stream(
        _ sql: String, _ parameters: [ColumnarValue] = [], batch: Int = 65_536, context: String? = nil,
        _ body: @escaping @Sendable (Table) throws -> Void
    ) async throws {
        try await run { try $0.stream(sql, parameters, batch: batch, context: context, body) }
    }

    /// Adds rows to a table in bulk. See `ColumnarConnection.append`.
    public func append(_ table: Table, to name: String) async throws {
        try await run { try $0.append(table, to: name) }
    }

    /// Makes a table of the database out of `table`. See `ColumnarConnection.store`.
    public func store(_ table: Table, as name: String) async throws {
        try await run { try $0.store(table, as: name) }
    }

    /// Writes a query's rows to a Parquet file, whole or not at all. See `ColumnarConnection.writeParquet`.
    @discardableResult
    public func writeParquet(query: String, to path: String, context: String? = nil) async throws -> Int64 {
        try await run { try $0.writeParquet(query: query, to: path, context: context) }
    }

    private func open() throws -> ColumnarDatabase {
        try database.withLock { database in
            if let database { return database }
            let opened = try ColumnarDatabase(options)
            database = opened
            return opened
        }
    }
}

/// A thread with a connection of its own, opened at its first use.
final class Worker: Sendable {
    let thread: BlockingThread
    private let held = Mutex<ColumnarConnection?>(nil)

    init(number: Int) { thread = BlockingThread(name: "columnar-\(number)") }

    func connection(_ connect: () throws -> ColumnarConnection) throws -> ColumnarConnection {
        try held.withLock { held in
            if let held { return held }
            let opened = try connect()
            held = opened
            return opened
        }
    }
}

/// Lends workers, first come first served.
final class WorkerPool: Sendable {
    private struct State {
        var idle: [Worker]
        var waiting: [CheckedContinuation<Worker, Never>] = []
    }

    private let state: Mutex<State>

    init(size: Int) { state = Mutex(State(idle: (0..<size).map(Worker.init(number:)))) }

    func lease() async -> Worker {
        await withCheckedContinuation { continuation in
            let worker = state.withLock { state -> Worker? in
                if let worker = state.idle.popLast() { return worker }
                state.waiting.append(continuation)
                return nil
            }
            if let worker { continuation.resume(returning: worker) }
        }
    }

    func giveBack(_ worker: Worker) {
        let next = state.withLock { state -> CheckedContinuation<Worker, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.idle.append(worker)
            return nil
        }
        next?.resume(returning: worker)
    }
}
