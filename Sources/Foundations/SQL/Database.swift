import Basics
import Foundation

/// A database: one writer that commits changes in groups, and readers that each see a consistent snapshot.
///
/// No call blocks a thread of the cooperative pool. A change that was acknowledged is on the disk.
public final class Database: Sendable {
    /// Where the database lies, for messages.
    public let path: String
    let time: any TimeSource
    private let writer: Writer
    private let readers: Readers

    private init(path: String, time: any TimeSource, writer: Writer, readers: Readers) {
        self.path = path
        self.time = time
        self.writer = writer
        self.readers = readers
    }

    /// Opens the database file, creating it when there is none; its folder must exist.
    /// - Parameters:
    ///   - path: the file.
    ///   - readers: how many reads run at the same time.
    ///   - busyMilliseconds: how long to wait for another process that holds the lock.
    ///   - time: dates the migrations.
    /// - Throws: `SQLFailure.cannotOpen`, `.readOnly`, `.locked`, `.corrupt` or `.diskFull`.
    public static func open(
        at path: String, readers count: Int = 4, busyMilliseconds: Int = 5000, time: any TimeSource = SystemTime()
    ) async throws -> Database {
        try await BlockingThread(name: "sql.open").run {
            let wait = Int32(clamping: busyMilliseconds)
            let connection = try Connection(path: path, writable: true, busyMilliseconds: wait)
            try connection.script(
                """
                PRAGMA journal_mode = WAL;
                PRAGMA synchronous = FULL;
                PRAGMA foreign_keys = ON;
                PRAGMA journal_size_limit = 67108864;
                """)
            // An empty change finds a read-only folder or a foreign lock now, not at the first write.
            try connection.script("BEGIN IMMEDIATE; COMMIT;")
            let readers = try Readers(path: path, count: count, busyMilliseconds: wait)
            return Database(
                path: path, time: time, writer: Writer(path: path, connection: connection), readers: readers)
        }
    }

    /// Makes one change, durable when this returns.
    ///
    /// Changes that are asked for at the same time share one flush to the disk. A body that throws undoes only its own
    /// change. A body must not wait for another change of the same database.
    /// - Throws: what `body` throws, or the `SQLFailure` for which the change could not be committed.
    @discardableResult
    public func write<Value: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            writer.submit(
                Writer.Job(
                    run: { transaction in
                        let value = try body(transaction)
                        return { continuation.resume(returning: value) }
                    },
                    fail: { continuation.resume(throwing: $0) }))
        }
    }

    /// Reads from one snapshot: changes committed meanwhile are not seen.
    /// - Throws: what `body` throws, or the `SQLFailure` of the engine.
    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            readers.submit { connection in
                continuation.resume(with: Result { try Database.snapshot(try connection.get(), body) })
            }
        }
    }

    /// Waits for the work that was asked for before, then closes the files. Later calls fail with `SQLFailure.closed`.
    public func close() async {
        await readers.close()
        await writer.close()
    }

    private static func snapshot<Value>(_ connection: Connection, _ body: (Transaction) throws -> Value) throws -> Value
    {
        try connection.run("BEGIN", [], screened: false) { _ in }
        let transaction = Transaction(connection, writable: false)
        defer {
            transaction.end()
            if !connection.isIdle { try? connection.script("COMMIT") }
        }
        return try body(transaction)
    }
}
