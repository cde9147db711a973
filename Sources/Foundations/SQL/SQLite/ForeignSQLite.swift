import Basics

/// A SQLite file of another program, which is read and never changed.
public final class ForeignSQLite: Sendable {
    private let readers: Readers

    /// Opens the file, which must exist.
    /// - Throws: `SQLFailure.cannotOpen`, or another where it is no database.
    public init(path: String) async throws {
        readers = try await BlockingThread(name: "sql.open").run {
            try Readers(path: path, count: 1, metrics: SQLMetrics(nil, engine: Database.Engine.sqlite.rawValue)) {
                SQLiteSnapshots(try SQLiteSession(path: path, writable: false, busyMilliseconds: 5000))
            }
        }
    }

    /// Reads from one snapshot.
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

    /// Waits for the reads that were asked for before, then closes the file.
    public func close() async { await readers.close() }
}
