import Basics
import CDuckDB
import Foundation
import Synchronization

/// How an engine is set up.
public struct ColumnarOptions: Sendable {
    /// The database file; nil keeps everything in memory.
    public var path: String?
    /// Bytes DuckDB may hold before it spills to `temporaryDirectory`.
    public var memoryLimitBytes: Int64
    /// Threads DuckDB computes with; at least 1.
    public var threads: Int
    /// Where queries larger than memory spill; made when needed.
    public var temporaryDirectory: String
    /// Bytes that may be spilled; nil leaves it to DuckDB (most of the free disk).
    public var spillLimitBytes: Int64?
    /// How many queries can run at once.
    public var connections: Int

    public init(
        path: String? = nil, memoryLimitBytes: Int64 = 512 << 20, threads: Int = 2, temporaryDirectory: String,
        spillLimitBytes: Int64? = nil, connections: Int = 2
    ) {
        self.path = path
        self.memoryLimitBytes = memoryLimitBytes
        self.threads = threads
        self.temporaryDirectory = temporaryDirectory
        self.spillLimitBytes = spillLimitBytes
        self.connections = connections
    }
}

/// One open DuckDB instance; closed when its last connection is gone.
final class ColumnarDatabase: Sendable {
    /// The version the declarations in CDuckDB were written against.
    static let pinnedVersion = "v1.5.6"

    // The library locks inside; the handle itself never changes.
    private nonisolated(unsafe) let handle: OpaquePointer
    /// What each connection is told first. The spill limit is here because the library forgets it when told at opening.
    let greeting: String

    init(_ options: ColumnarOptions) throws {
        if let reason = mw_duckdb_load() { throw ColumnarFailure(libraryMissing: String(cString: reason)) }
        let version = duckdb_library_version().map { String(cString: $0) } ?? "unknown"
        guard version == ColumnarDatabase.pinnedVersion else {
            throw ColumnarFailure(
                .failedPrecondition,
                "the DuckDB library is \(version) where \(ColumnarDatabase.pinnedVersion) is needed",
                remedy: "Run make setup.")
        }
        var config: OpaquePointer?
        guard duckdb_create_config(&config) == DuckDBSuccess else {
            throw ColumnarFailure(.resourceExhausted, "DuckDB could not make its configuration")
        }
        defer { duckdb_destroy_config(&config) }
        let settings = [
            ("memory_limit", "\(max(1, options.memoryLimitBytes)) bytes"), ("threads", "\(max(1, options.threads))"),
            ("temp_directory", options.temporaryDirectory),
            // An extension that is not built in would be fetched over the network.
            ("autoinstall_known_extensions", "false"), ("autoload_known_extensions", "false"),
        ]
        for (name, value) in settings where duckdb_set_config(config, name, value) != DuckDBSuccess {
            throw ColumnarFailure(.invalidArgument, "DuckDB refuses '\(value)' as \(name)")
        }
        var database: OpaquePointer?
        var message: UnsafeMutablePointer<CChar>?
        let state = duckdb_open_ext(options.path, &database, config, &message)
        defer { duckdb_free(message) }
        guard state == DuckDBSuccess, let database else {
            throw ColumnarFailure(
                duckDB: message.map { String(cString: $0) } ?? "the database could not be opened",
                context: options.path ?? "the in-memory database")
        }
        handle = database
        let limit = options.spillLimitBytes.map { "; SET max_temp_directory_size = '\($0) bytes'" } ?? ""
        greeting = "SET TimeZone = 'UTC'" + limit
    }

    deinit {
        var database: OpaquePointer? = handle
        duckdb_close(&database)
    }

    func connect() throws -> OpaquePointer {
        var connection: OpaquePointer?
        guard duckdb_connect(handle, &connection) == DuckDBSuccess, let connection else {
            throw ColumnarFailure(.resourceExhausted, "DuckDB could not open another connection")
        }
        return connection
    }
}
