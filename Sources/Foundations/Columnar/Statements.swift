import Basics
import CDuckDB

/// SQL text taken apart into statements, run one after the other.
final class Statements {
    private let connection: ColumnarConnection
    private let context: String?
    private var extracted: OpaquePointer?
    private let count: UInt64

    init(_ sql: String, on connection: ColumnarConnection, context: String?) throws {
        self.connection = connection
        self.context = context
        guard !sql.utf8.contains(0) else {
            throw ColumnarFailure(.invalidArgument, (context.map { "\($0): " } ?? "") + "the SQL holds a zero byte")
        }
        var extracted: OpaquePointer?
        count = duckdb_extract_statements(connection.handle, sql, &extracted)
        self.extracted = extracted
        guard count > 0 else {
            if let message = duckdb_extract_statements_error(extracted) { throw connection.failure(message, context) }
            throw ColumnarFailure(
                .invalidArgument, (context.map { "\($0): " } ?? "") + "the SQL holds no statement")
        }
    }

    deinit { duckdb_destroy_extracted(&extracted) }

    /// Runs all; `body` gets the result of the last.
    func run(_ parameters: [ColumnarValue], streaming: Bool, _ body: (QueryResult) throws -> Void) throws {
        guard parameters.isEmpty || count == 1 else {
            throw ColumnarFailure(.invalidArgument, "parameters were given for \(count) statements; give them for one")
        }
        for index in 0..<count {
            try run(at: index, parameters, streaming: streaming && index == count - 1) { result in
                if index == count - 1 { try body(result) }
            }
        }
    }

    private func run(
        at index: UInt64, _ parameters: [ColumnarValue], streaming: Bool, _ body: (QueryResult) throws -> Void
    ) throws {
        var statement: OpaquePointer?
        defer { duckdb_destroy_prepare(&statement) }
        guard duckdb_prepare_extracted_statement(connection.handle, extracted, index, &statement) == DuckDBSuccess
        else {
            throw connection.failure(duckdb_prepare_error(statement), context)
        }
        try bind(parameters, to: statement)
        var pending: OpaquePointer?
        defer { duckdb_destroy_pending(&pending) }
        let made =
            streaming
            ? duckdb_pending_prepared_streaming(statement, &pending) : duckdb_pending_prepared(statement, &pending)
        guard made == DuckDBSuccess else { throw connection.failure(duckdb_pending_error(pending), context) }
        try connection.begin()
        defer { connection.end() }
        let result = QueryResult(connection, context)
        do {
            try result.execute(pending)
            try body(result)
        } catch {
            // Rows not fetched yet are still being computed; nobody wants them any more.
            if streaming { duckdb_interrupt(connection.handle) }
            throw error
        }
    }

    private func bind(_ parameters: [ColumnarValue], to statement: OpaquePointer?) throws {
        let wanted = duckdb_nparams(statement)
        guard wanted == UInt64(parameters.count) else {
            throw ColumnarFailure(
                .invalidArgument,
                (context.map { "\($0): " } ?? "")
                    + "the SQL takes \(wanted) parameters and \(parameters.count) were given")
        }
        for (offset, value) in parameters.enumerated() {
            let index = UInt64(offset) + 1
            let state =
                switch value {
                case .null: duckdb_bind_null(statement, index)
                case .bool(let value): duckdb_bind_boolean(statement, index, value)
                case .integer(let value): duckdb_bind_int64(statement, index, value)
                case .double(let value): duckdb_bind_double(statement, index, value)
                case .string(let value):
                    duckdb_bind_varchar_length(statement, index, value, UInt64(value.utf8.count))
                case .timestamp(let value):
                    duckdb_bind_timestamp(statement, index, duckdb_timestamp(micros: value.microseconds))
                }
            guard state == DuckDBSuccess else { throw connection.failure(duckdb_prepare_error(statement), context) }
        }
    }
}

/// The result of one statement.
final class QueryResult {
    private let connection: ColumnarConnection
    private let context: String?
    private var result = duckdb_result()

    init(_ connection: ColumnarConnection, _ context: String?) {
        self.connection = connection
        self.context = context
    }

    deinit { duckdb_destroy_result(&result) }

    func execute(_ pending: OpaquePointer?) throws {
        guard duckdb_execute_pending(pending, &result) == DuckDBSuccess else {
            throw connection.failure(duckdb_result_error(&result) ?? duckdb_pending_error(pending), context)
        }
    }

    var rowsChanged: Int64 { Int64(clamping: duckdb_rows_changed(&result)) }

    /// All rows.
    func drain() throws -> Table {
        let readers = try readers()
        while try next(into: readers) > 0 {}
        return try finish(readers)
    }

    /// The rows in tables of at least `batch` rows each.
    func batches(of batch: Int, _ body: (Table) throws -> Void) throws {
        let readers = try readers()
        var gathered = 0
        while true {
            let rows = try next(into: readers)
            gathered += rows
            if gathered > 0, rows == 0 || gathered >= batch {
                try body(finish(readers))
                gathered = 0
            }
            if rows == 0 { return }
        }
    }

    /// The rows as they lie in the engine, some thousands at a time.
    func chunks(_ body: (ColumnarChunk) throws -> Void) throws {
        let types = try (0..<duckdb_column_count(&result)).map { index in
            let name = duckdb_column_name(&result, index).map { String(cString: $0) } ?? "column\(index)"
            var type = duckdb_column_logical_type(&result, index)
            defer { duckdb_destroy_logical_type(&type) }
            return try ChunkColumn.Kind(type, column: name)
        }
        while true {
            var chunk = try fetch()
            guard chunk != nil else { return }
            defer { duckdb_destroy_data_chunk(&chunk) }
            let rows = Int(duckdb_data_chunk_get_size(chunk))
            guard rows > 0 else { return }
            let columns = types.enumerated().map { index, kind in
                ChunkColumn(kind, duckdb_data_chunk_get_vector(chunk, UInt64(index)), rows: rows)
            }
            try body(ColumnarChunk(rowCount: rows, columns: columns))
        }
    }

    /// Hands the rows to a writer of Arrow, some thousands at a time.
    /// - Parameter make: makes the writer for a schema of Arrow's C interface, which it takes over.
    /// - Returns: how many rows there were.
    func arrow(_ make: (UnsafeMutableRawPointer) throws -> ArrowWriter) throws -> Int64 {
        var options = duckdb_result_get_arrow_options(&result)
        defer { duckdb_destroy_arrow_options(&options) }
        let count = duckdb_column_count(&result)
        var types = (0..<count).map { duckdb_column_logical_type(&result, $0) }
        defer { for index in types.indices { duckdb_destroy_logical_type(&types[index]) } }
        var names = (0..<count).map { duckdb_column_name(&result, $0) }
        var schema = ArrowMemory()
        try check(duckdb_to_arrow_schema(options, &types, &names, count, &schema))
        let writer = try withUnsafeMutablePointer(to: &schema) { try make(UnsafeMutableRawPointer($0)) }
        var rows: Int64 = 0
        while true {
            var chunk = try fetch()
            guard chunk != nil else { break }
            defer { duckdb_destroy_data_chunk(&chunk) }
            let size = duckdb_data_chunk_get_size(chunk)
            guard size > 0 else { break }
            var array = ArrowMemory()
            try check(duckdb_data_chunk_to_arrow(options, chunk, &array))
            try withUnsafeMutablePointer(to: &array) { try writer.write(array: UnsafeMutableRawPointer($0)) }
            rows += Int64(size)
        }
        try writer.finish()
        return rows
    }

    private func check(_ error: OpaquePointer?) throws {
        var error = error
        defer { duckdb_destroy_error_data(&error) }
        guard error != nil, duckdb_error_data_has_error(error) else { return }
        throw connection.failure(duckdb_error_data_message(error), context)
    }

    private func fetch() throws -> OpaquePointer? {
        if connection.isCancelled { throw CancellationError() }
        let chunk = duckdb_fetch_chunk(result)
        if chunk == nil, let message = duckdb_result_error(&result) { throw connection.failure(message, context) }
        return chunk
    }

    private func readers() throws -> [VectorReader] {
        try (0..<duckdb_column_count(&result)).map { index in
            let name = duckdb_column_name(&result, index).map { String(cString: $0) } ?? "column\(index)"
            var type = duckdb_column_logical_type(&result, index)
            defer { duckdb_destroy_logical_type(&type) }
            return try VectorReader.make(name: name, type: type)
        }
    }

    private func next(into readers: [VectorReader]) throws -> Int {
        var chunk = try fetch()
        guard chunk != nil else { return 0 }
        defer { duckdb_destroy_data_chunk(&chunk) }
        let rows = Int(duckdb_data_chunk_get_size(chunk))
        for (index, reader) in readers.enumerated() {
            try reader.read(duckdb_data_chunk_get_vector(chunk, UInt64(index)), rows: rows)
        }
        return rows
    }

    private func finish(_ readers: [VectorReader]) throws -> Table {
        try Table(readers.map { ($0.name, $0.finish()) })
    }
}
