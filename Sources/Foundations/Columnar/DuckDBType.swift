import CDuckDB

/// DuckDB's type numbers, as its C API fixes them.
enum DuckDBType: Int32 {
    case boolean = 1
    case tinyint, smallint, integer, bigint, utinyint, usmallint, uinteger, ubigint, float, double
    case timestamp = 12
    case date, time, interval, hugeint, varchar, blob, decimal, timestampSeconds, timestampMilliseconds
    case timestampNanoseconds = 22
    case `enum`, list, `struct`, map, uuid, union, bit, timeWithZone, timestampWithZone, uhugeint, array
    case null = 36

    /// The name a user would write in SQL.
    var sqlName: String {
        switch self {
        case .timestampWithZone: "TIMESTAMPTZ"
        case .timeWithZone: "TIMETZ"
        case .timestampSeconds: "TIMESTAMP_S"
        case .timestampMilliseconds: "TIMESTAMP_MS"
        case .timestampNanoseconds: "TIMESTAMP_NS"
        default: "\(self)".uppercased()
        }
    }

    static func of(_ type: OpaquePointer?) -> DuckDBType? { DuckDBType(rawValue: Int32(duckdb_get_type_id(type))) }
}
