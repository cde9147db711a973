import Basics
import CDuckDB

/// Adds rows in bulk: values are copied into a chunk's vectors and whole chunks are handed over.
final class TableAppender {
    private let connection: ColumnarConnection
    private let name: String
    private var appender: OpaquePointer?

    init(_ connection: ColumnarConnection, name: String) throws {
        self.connection = connection
        self.name = name
        guard duckdb_appender_create(connection.handle, nil, name, &appender) == DuckDBSuccess else {
            throw failure()
        }
    }

    // Destroying flushes what is left, so that a refused table must be cleared by hand first: see `append`.
    deinit { duckdb_appender_destroy(&appender) }

    func append(_ table: Table) throws {
        for name in table.names where duckdb_appender_add_column(appender, name) != DuckDBSuccess { throw failure() }
        var types = table.columns.enumerated().map { index, column in type(of: column, at: UInt64(index)) }
        defer { for index in types.indices { duckdb_destroy_logical_type(&types[index]) } }
        guard !types.isEmpty else { return }
        var chunk = duckdb_create_data_chunk(&types, UInt64(types.count))
        defer { duckdb_destroy_data_chunk(&chunk) }
        let capacity = Int(duckdb_vector_size())
        var start = 0
        while start < table.rowCount {
            let rows = start..<min(start + capacity, table.rowCount)
            if connection.isCancelled { throw CancellationError() }
            duckdb_data_chunk_reset(chunk)
            for (index, column) in table.columns.enumerated() {
                TableAppender.fill(duckdb_data_chunk_get_vector(chunk, UInt64(index)), column, rows)
            }
            duckdb_data_chunk_set_size(chunk, UInt64(rows.count))
            guard duckdb_append_data_chunk(appender, chunk) == DuckDBSuccess else { throw failure() }
            start = rows.upperBound
        }
        guard duckdb_appender_close(appender) == DuckDBSuccess else { throw failure() }
    }

    private func failure() -> any Error { connection.failure(duckdb_appender_error(appender), "table '\(name)'") }

    /// Times go in as the target has them: to convert TIMESTAMP to TIMESTAMPTZ the library would need a time zone.
    private func type(of column: Column, at index: UInt64) -> OpaquePointer? {
        let own: DuckDBType =
            switch column.values {
            case .bools: .boolean
            case .int32s: .integer
            case .int64s: .bigint
            case .float32s: .float
            case .doubles: .double
            case .strings: .varchar
            case .timestamps: .timestamp
            }
        var target = duckdb_appender_column_type(appender, index)
        defer { duckdb_destroy_logical_type(&target) }
        let zoned = own == .timestamp && DuckDBType.of(target) == .timestampWithZone
        return duckdb_create_logical_type((zoned ? .timestampWithZone : own).rawValue)
    }

    private static func fill(_ vector: OpaquePointer?, _ column: Column, _ rows: Range<Int>) {
        switch column.values {
        case .bools(let array): copy(array, rows, to: vector)
        case .int32s(let array): copy(array, rows, to: vector)
        case .int64s(let array), .timestamps(let array): copy(array, rows, to: vector)
        case .float32s(let array): copy(array, rows, to: vector)
        case .doubles(let array): copy(array, rows, to: vector)
        case .strings(let texts):
            texts.bytes.withUnsafeBytes { bytes in
                // An empty column of texts has no storage to point into.
                let empty: [CChar] = [0]
                for (slot, row) in rows.enumerated() where column.isValid(row) {
                    let length = texts.offsets[row + 1] - texts.offsets[row]
                    if let base = bytes.baseAddress, length > 0 {
                        let start = (base + texts.offsets[row]).assumingMemoryBound(to: CChar.self)
                        duckdb_vector_assign_string_element_len(vector, UInt64(slot), start, UInt64(length))
                    } else {
                        duckdb_vector_assign_string_element_len(vector, UInt64(slot), empty, 0)
                    }
                }
            }
        }
        guard let validity = column.validity, validity[rows].contains(false) else { return }
        duckdb_vector_ensure_validity_writable(vector)
        guard let mask = duckdb_vector_get_validity(vector) else { return }
        for (slot, row) in rows.enumerated() where !validity[row] { mask[slot >> 6] &= ~(1 << UInt64(slot & 63)) }
    }

    private static func copy<Value: BitwiseCopyable>(_ array: [Value], _ rows: Range<Int>, to vector: OpaquePointer?) {
        guard let data = duckdb_vector_get_data(vector) else { return }
        array[rows].withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(start: data, count: source.count).copyMemory(from: source)
        }
    }
}
