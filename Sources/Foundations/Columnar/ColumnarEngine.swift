import Basics
import CDuckDB
import Foundation

/// Analytic SQL over files and tables in memory: DuckDB in this process.
///
/// The engine is opened by its first use, so that a process that never asks does not pay for it. Statements run on a
/// thread of the engine's own, one after the other; each uses as many threads as the engine was given.
public final class ColumnarEngine: Sendable {
    private let memoryLimitBytes: Int64
    private let threads: Int
    private let temporaryDirectory: String
    private let thread = BlockingThread(name: "columnar")
    private let state = State()
    private static let pinnedVersion = "v1.5.6"

    /// Touched on the engine's thread alone.
    private final class State: @unchecked Sendable {
        var database: duckdb_database?
        var connection: duckdb_connection?

        deinit {
            duckdb_disconnect(&connection)
            duckdb_close(&database)
        }
    }

    /// - Parameters:
    ///   - memoryLimitBytes: beyond this the engine spills to `temporaryDirectory`.
    ///   - threads: at least 1.
    public init(memoryLimitBytes: Int64, threads: Int, temporaryDirectory: String) {
        self.memoryLimitBytes = memoryLimitBytes
        self.threads = max(1, threads)
        self.temporaryDirectory = temporaryDirectory
    }

    /// Runs one or several statements and gives the rows of the last.
    ///
    /// - Parameter context: where the statement stands, for errors.
    /// - Throws: ``ColumnarFailure``.
    public func query(_ sql: String, context: String = "the query") async throws -> Table {
        try await thread.run { [self] in try run(sql, context) }
    }

    /// Runs one or several statements for their effect.
    public func execute(_ sql: String, context: String = "the statement") async throws {
        _ = try await thread.run { [self] in try run(sql, context) }
    }

    /// Writes the rows of a query as a Parquet file that appears whole or not at all.
    public func writeParquet(query: String, to path: String, context: String = "the query") async throws {
        let partial = path + ".partial"
        do {
            try await execute(
                "COPY (\(query)) TO \(SQLText.literal(partial)) (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 61440)",
                context: context)
            try FileManager.default.moveItem(atPath: partial, toPath: path)
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw error
        }
    }

    private func connection() throws -> duckdb_connection {
        if let connection = state.connection { return connection }
        let version = String(cString: duckdb_library_version())
        guard version == Self.pinnedVersion else {
            throw ColumnarFailure.engine("its library is \(version) where \(Self.pinnedVersion) is wanted")
        }
        var configuration: duckdb_config?
        guard duckdb_create_config(&configuration) == DuckDBSuccess else {
            throw ColumnarFailure.engine("it takes no configuration")
        }
        defer { duckdb_destroy_config(&configuration) }
        let settings = [
            "memory_limit": "\(memoryLimitBytes / 1_000_000)MB", "threads": "\(threads)",
            "temp_directory": temporaryDirectory, "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false", "preserve_insertion_order": "true",
        ]
        for (name, value) in settings where duckdb_set_config(configuration, name, value) != DuckDBSuccess {
            throw ColumnarFailure.engine("it does not take the setting \(name)")
        }
        var problem: UnsafeMutablePointer<CChar>?
        guard duckdb_open_ext(nil, &state.database, configuration, &problem) == DuckDBSuccess else {
            defer { duckdb_free(problem) }
            throw ColumnarFailure.engine(problem.map { String(cString: $0) } ?? "it does not open")
        }
        var connection: duckdb_connection?
        guard duckdb_connect(state.database, &connection) == DuckDBSuccess, let connection else {
            throw ColumnarFailure.engine("it takes no connection")
        }
        state.connection = connection
        _ = try run("SET TimeZone = 'UTC'", "the engine's settings")
        return connection
    }

    private func run(_ sql: String, _ context: String) throws -> Table {
        let connection = try connection()
        var statements: duckdb_extracted_statements?
        let count = duckdb_extract_statements(connection, sql, &statements)
        defer { duckdb_destroy_extracted(&statements) }
        guard count > 0 else {
            let problem = duckdb_extract_statements_error(statements).map { String(cString: $0) }
            throw ColumnarFailure.statement(problem ?? "there is no statement", context: context)
        }
        var table = Table(names: [], columns: [], rowCount: 0)
        for index in 0..<count {
            var prepared: duckdb_prepared_statement?
            defer { duckdb_destroy_prepare(&prepared) }
            guard duckdb_prepare_extracted_statement(connection, statements, index, &prepared) == DuckDBSuccess else {
                let problem = duckdb_prepare_error(prepared).map { String(cString: $0) }
                throw ColumnarFailure.statement(problem ?? "it can not be prepared", context: context)
            }
            var result = duckdb_result()
            defer { duckdb_destroy_result(&result) }
            guard duckdb_execute_prepared(prepared, &result) == DuckDBSuccess else {
                let problem = duckdb_result_error(&result).map { String(cString: $0) }
                throw ColumnarFailure.statement(problem ?? "it can not be run", context: context)
            }
            if index + 1 == count { table = try ResultReader.read(&result, context: context) }
        }
        return table
    }
}
