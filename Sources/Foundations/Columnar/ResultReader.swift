import CDuckDB

/// Turns a result into columns, a vector at a time: no value is boxed or asked for by itself.
enum ResultReader {
    static func read(_ result: inout duckdb_result, context: String) throws -> Table {
        let count = Int(duckdb_column_count(&result))
        var names: [String] = []
        var readers: [ColumnReader] = []
        for index in 0..<count {
            let name = duckdb_column_name(&result, idx_t(index)).map { String(cString: $0) } ?? ""
            names.append(name)
            readers.append(try ColumnReader(&result, index, name: name, context: context))
        }
        var rows = 0
        while true {
            var chunk = duckdb_fetch_chunk(result)
            guard chunk != nil else { break }
            defer { duckdb_destroy_data_chunk(&chunk) }
            let size = Int(duckdb_data_chunk_get_size(chunk))
            for index in readers.indices {
                readers[index].append(duckdb_data_chunk_get_vector(chunk, idx_t(index)), size: size, after: rows)
            }
            rows += size
        }
        return Table(names: names, columns: readers.map(\.column), rowCount: rows)
    }
}

/// Collects one column.
private struct ColumnReader {
    private let type: duckdb_type
    /// For decimals: the type that holds the digits, and ten to the power of the scale.
    private var decimal: (type: duckdb_type, divisor: Double)?
    var column: Column

    init(_ result: inout duckdb_result, _ index: Int, name: String, context: String) throws {
        type = duckdb_column_type(&result, idx_t(index))
        switch type {
        case DUCKDB_TYPE_BOOLEAN: column = Column(values: .bool([]))
        case DUCKDB_TYPE_TINYINT, DUCKDB_TYPE_SMALLINT, DUCKDB_TYPE_INTEGER, DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_UTINYINT,
            DUCKDB_TYPE_USMALLINT, DUCKDB_TYPE_UINTEGER:
            column = Column(values: .integer([]))
        case DUCKDB_TYPE_FLOAT, DUCKDB_TYPE_DOUBLE, DUCKDB_TYPE_HUGEINT, DUCKDB_TYPE_UBIGINT, DUCKDB_TYPE_DECIMAL:
            column = Column(values: .double([]))
        case DUCKDB_TYPE_VARCHAR: column = Column(values: .string([]))
        case DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_TIMESTAMP_TZ, DUCKDB_TYPE_DATE: column = Column(values: .timestamp([]))
        case DUCKDB_TYPE_INVALID: column = Column(values: .integer([]))
        default: throw ColumnarFailure.unsupported("number \(type.rawValue)", column: name, context: context)
        }
        if type == DUCKDB_TYPE_DECIMAL {
            var logical = duckdb_column_logical_type(&result, idx_t(index))
            defer { duckdb_destroy_logical_type(&logical) }
            let scale = Int(duckdb_decimal_scale(logical))
            decimal = (duckdb_decimal_internal_type(logical), (0..<scale).reduce(1.0) { power, _ in power * 10 })
        }
    }

    mutating func append(_ vector: duckdb_vector?, size: Int, after rows: Int) {
        guard let data = duckdb_vector_get_data(vector) else { return }
        switch column.values {
        case .bool(var values):
            column.values = .bool([])
            values.append(contentsOf: numbers(data, size, UInt8.self).map { $0 != 0 })
            column.values = .bool(values)
        case .integer(var values):
            column.values = .integer([])
            appendIntegers(data, size, to: &values)
            column.values = .integer(values)
        case .double(var values):
            column.values = .double([])
            appendDoubles(data, size, decimal?.type ?? type, to: &values)
            column.values = .double(values)
        case .string(var values):
            column.values = .string([])
            appendStrings(data, size, duckdb_vector_get_validity(vector), to: &values)
            column.values = .string(values)
        case .timestamp(var values):
            column.values = .timestamp([])
            if type == DUCKDB_TYPE_DATE {
                values.append(contentsOf: numbers(data, size, Int32.self).map { Int64($0) * 86_400_000_000 })
            } else {
                values.append(contentsOf: numbers(data, size, Int64.self))
            }
            column.values = .timestamp(values)
        }
        appendValidity(duckdb_vector_get_validity(vector), size, after: rows)
    }

    private mutating func appendValidity(_ mask: UnsafeMutablePointer<UInt64>?, _ size: Int, after rows: Int) {
        guard let mask else {
            if column.validity != nil { column.validity?.append(contentsOf: repeatElement(true, count: size)) }
            return
        }
        var validity = column.validity ?? [Bool](repeating: true, count: rows)
        column.validity = nil
        for row in 0..<size { validity.append(mask[row >> 6] >> UInt64(row & 63) & 1 == 1) }
        column.validity = validity
    }

    private func numbers<Number>(_ data: UnsafeMutableRawPointer, _ size: Int, _ type: Number.Type)
        -> UnsafeBufferPointer<Number>
    {
        UnsafeBufferPointer(start: data.assumingMemoryBound(to: type), count: size)
    }

    private func appendIntegers(_ data: UnsafeMutableRawPointer, _ size: Int, to values: inout [Int64]) {
        switch type {
        case DUCKDB_TYPE_TINYINT: values.append(contentsOf: numbers(data, size, Int8.self).map { Int64($0) })
        case DUCKDB_TYPE_SMALLINT: values.append(contentsOf: numbers(data, size, Int16.self).map { Int64($0) })
        case DUCKDB_TYPE_INTEGER: values.append(contentsOf: numbers(data, size, Int32.self).map { Int64($0) })
        case DUCKDB_TYPE_UTINYINT: values.append(contentsOf: numbers(data, size, UInt8.self).map { Int64($0) })
        case DUCKDB_TYPE_USMALLINT: values.append(contentsOf: numbers(data, size, UInt16.self).map { Int64($0) })
        case DUCKDB_TYPE_UINTEGER: values.append(contentsOf: numbers(data, size, UInt32.self).map { Int64($0) })
        default: values.append(contentsOf: numbers(data, size, Int64.self))
        }
    }

    private func appendDoubles(
        _ data: UnsafeMutableRawPointer, _ size: Int, _ type: duckdb_type, to values: inout [Double]
    ) {
        let divisor = decimal?.divisor ?? 1
        switch type {
        case DUCKDB_TYPE_FLOAT: values.append(contentsOf: numbers(data, size, Float.self).map { Double($0) })
        case DUCKDB_TYPE_SMALLINT: values.append(contentsOf: numbers(data, size, Int16.self).map { Double($0) / divisor })
        case DUCKDB_TYPE_INTEGER: values.append(contentsOf: numbers(data, size, Int32.self).map { Double($0) / divisor })
        case DUCKDB_TYPE_BIGINT: values.append(contentsOf: numbers(data, size, Int64.self).map { Double($0) / divisor })
        case DUCKDB_TYPE_UBIGINT: values.append(contentsOf: numbers(data, size, UInt64.self).map { Double($0) })
        case DUCKDB_TYPE_HUGEINT:
            values.append(
                contentsOf: numbers(data, size, duckdb_hugeint.self).map {
                    (Double($0.upper) * 0x1p64 + Double($0.lower)) / divisor
                })
        default: values.append(contentsOf: numbers(data, size, Double.self))
        }
    }

    private func appendStrings(
        _ data: UnsafeMutableRawPointer, _ size: Int, _ mask: UnsafeMutablePointer<UInt64>?, to values: inout [String]
    ) {
        let texts = data.assumingMemoryBound(to: duckdb_string_t.self)
        for row in 0..<size {
            // A null has no pointer that may be followed.
            if let mask, mask[row >> 6] >> UInt64(row & 63) & 1 == 0 {
                values.append("")
                continue
            }
            let bytes = UnsafeRawBufferPointer(
                start: mw_duckdb_text(texts + row), count: Int(mw_duckdb_text_length(texts + row)))
            values.append(String(decoding: bytes, as: UTF8.self))
        }
    }
}
