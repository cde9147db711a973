import Basics
import Foundation
import Telemetry

/// A database: one writer that commits changes in groups, and readers that each see a consistent snapshot.
///
/// It lives in a SQLite file or on a PostgreSQL server; rooms can not tell which. No call blocks a thread of the
/// cooperative pool. A change that was acknowledged is on the disk.
public final class Database: Sendable {
    /// The engine a database lives in.
    public enum Engine: String, Sendable, CaseIterable {
        case sqlite, postgresql
    }

    /// Where the database lies, for messages: a file, or an address without its secrets.
    public let path: String
    /// The engine it lives in.
    public let engine: Engine
    let time: any TimeSource
    private let writer: Writer
    private let readers: Readers

    init(engine: Engine, path: String, time: any TimeSource, writer: Writer, readers: Readers) {
        self.engine = engine
        self.path = path
        self.time = time
        self.writer = writer
        self.readers = readers
    }

    /// Opens a database at its address.
    ///
    /// `sqlite:works.db` and `sqlite:///var/lib/works.db` are files and take `pool`. For
    /// `postgresql://user@host/database` see `PostgresAddress`; its schema is created when missing.
    /// - Parameters:
    ///   - url: the address.
    ///   - time: dates the migrations.
    ///   - random: spreads new tries after a lost connection.
    ///   - metrics: where the database counts what it does.
    /// - Throws: `StoreURLFailure` for an address that can not be one, `SQLFailure` for one that can not be opened:
    ///   within its `connect_timeout`.
    public static func open(
        _ url: StoreURL, time: any TimeSource = SystemTime(), random: any RandomSource = SystemRandom(),
        metrics: MetricsRegistry? = nil
    ) async throws -> Database {
        switch url.scheme {
        case "sqlite":
            try url.allow(["pool"])
            guard url.host == nil, !url.path.isEmpty else {
                throw StoreURLFailure.malformed(url.description, reason: "it names no file, such as sqlite:works.db")
            }
            return try await open(
                at: url.path, readers: url.integer("pool", in: 1...64) ?? 4, time: time, metrics: metrics)
        case "postgresql", "postgres":
            let address = try PostgresAddress(url)
            return try await open(address, time: time, random: random, metrics: metrics)
        default:
            throw StoreURLFailure.unknownScheme(url.description, store: "SQL", known: ["sqlite", "postgresql"])
        }
    }

    /// Opens the database file, creating it when there is none; its folder must exist.
    /// - Parameters:
    ///   - path: the file.
    ///   - readers: how many reads run at the same time.
    ///   - busyMilliseconds: how long to wait for another process that holds the lock.
    ///   - time: dates the migrations.
    ///   - metrics: where the database counts what it does.
    /// - Throws: `SQLFailure.cannotOpen`, `.readOnly`, `.locked`, `.corrupt` or `.diskFull`.
    public static func open(
        at path: String, readers count: Int = 4, busyMilliseconds: Int = 5000, time: any TimeSource = SystemTime(),
        metrics registry: MetricsRegistry? = nil
    ) async throws -> Database {
        try await BlockingThread(name: "sql.open").run {
            let wait = Int32(clamping: busyMilliseconds)
            let session = try SQLiteSession(path: path, writable: true, busyMilliseconds: wait)
            try session.control(
                """
                PRAGMA journal_mode = WAL;
                PRAGMA synchronous = FULL;
                PRAGMA foreign_keys = ON;
                PRAGMA journal_size_limit = 67108864;
                PRAGMA wal_autocheckpoint = 4000;
                PRAGMA cache_size = -16384;
                PRAGMA temp_store = MEMORY;
                """)
            // An empty change finds a read-only folder or a foreign lock now, not at the first write.
            try session.control("BEGIN IMMEDIATE; COMMIT;")
            let metrics = SQLMetrics(registry, engine: Engine.sqlite.rawValue)
            let readers = try Readers(path: path, count: count, metrics: metrics) {
                SQLiteSnapshots(try SQLiteSession(path: path, writable: false, busyMilliseconds: wait))
            }
            return Database(
                engine: .sqlite, path: path, time: time,
                writer: Writer(path: path, committer: SQLiteCommitter(session), metrics: metrics), readers: readers)
        }
    }

    private static func open(
        _ address: PostgresAddress, time: any TimeSource, random: any RandomSource, metrics registry: MetricsRegistry?
    ) async throws -> Database {
        try await BlockingThread(name: "sql.open").run {
            let metrics = SQLMetrics(registry, engine: Engine.postgresql.rawValue)
            let path = address.description
            let committer = PostgresCommitter(PostgresLink(address, random: random, metrics: metrics), random: random)
            try committer.prepare()
            let readers = try Readers(path: path, count: address.pool, metrics: metrics) {
                PostgresSnapshots(PostgresLink(address, random: random, metrics: metrics))
            }
            return Database(
                engine: .postgresql, path: path, time: time,
                writer: Writer(path: path, committer: committer, metrics: metrics), readers: readers)
        }
    }

    /// Makes one change, durable when this returns.
    ///
    /// Changes that are asked for at the same time share one flush to the disk. A body that throws undoes only its own
    /// change. A body must not wait for another change of the same database, and does nothing outside its transaction:
    /// when the engine lost its work, it is run again. A body whose statement failed must throw.
    /// - Throws: what `body` throws, or the `SQLFailure` for which the change could not be committed.
    @discardableResult
    public func write<Value: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Value
    ) async throws -> Value {
        let fence = Fence.lease(of: self)
        return try await withCheckedThrowingContinuation { continuation in
            writer.submit(
                Writer.Job(
                    run: { transaction in
                        try fence?.check(in: transaction)
                        let value = try body(transaction)
                        return { continuation.resume(returning: value) }
                    },
                    fail: { continuation.resume(throwing: $0) }))
        }
    }

    /// Reads from one snapshot: changes committed meanwhile are not seen. The body may be run again, in a new snapshot.
    /// - Throws: what `body` throws, or the `SQLFailure` of the engine.
    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            readers.submit { snapshots in
                continuation.resume(with: Result { try snapshots.get().read(body) })
            }
        }
    }

    /// Waits for the work that was asked for before, then closes the connections. Later calls fail with
    /// `SQLFailure.closed`.
    public func close() async {
        await readers.close()
        await writer.close()
    }
}
