import Basics
import CDuckDB

extension VectorReader {
    /// The reader for a result column of this logical type.
    /// - Throws: `ColumnarFailure` for types that have no counterpart here.
    static func make(name: String, type: OpaquePointer?) throws -> VectorReader {
        guard let kind = DuckDBType.of(type) else { throw unsupported(name, "a type this release does not know") }
        let toDouble = "Write CAST(\(SQLText.identifier(name)) AS DOUBLE) in the query."
        func time<Source: BitwiseCopyable>(_: Source.Type, _ convert: @escaping (Source) -> Int64) -> VectorReader {
            ConvertingReader<Source, Int64>(name: name, blank: 0, wrap: { .timestamps($0) }, convert: convert)
        }
        func int32<Source: FixedWidthInteger & BitwiseCopyable>(_: Source.Type) -> VectorReader {
            ConvertingReader<Source, Int32>(
                name: name, blank: 0, wrap: { .int32s($0) }, convert: { Int32(exactly: $0) })
        }
        func int64<Source: FixedWidthInteger & BitwiseCopyable>(_: Source.Type) -> VectorReader {
            ConvertingReader<Source, Int64>(
                name: name, blank: 0, remedy: toDouble, wrap: { .int64s($0) }, convert: { Int64(exactly: $0) })
        }
        switch kind {
        case .boolean: return CopyingReader<Bool>(name: name, blank: false) { .bools($0) }
        case .integer, .null: return CopyingReader<Int32>(name: name, blank: 0) { .int32s($0) }
        case .bigint: return CopyingReader<Int64>(name: name, blank: 0) { .int64s($0) }
        case .float: return CopyingReader<Float>(name: name, blank: .nan) { .float32s($0) }
        case .double: return CopyingReader<Double>(name: name, blank: .nan) { .doubles($0) }
        case .timestamp, .timestampWithZone: return CopyingReader<Int64>(name: name, blank: 0) { .timestamps($0) }
        case .tinyint: return int32(Int8.self)
        case .smallint: return int32(Int16.self)
        case .utinyint: return int32(UInt8.self)
        case .usmallint: return int32(UInt16.self)
        case .uinteger: return int64(UInt32.self)
        case .ubigint: return int64(UInt64.self)
        case .hugeint: return int64(Int128.self)
        case .uhugeint: return int64(UInt128.self)
        case .date: return time(Int32.self) { scaled(Int64($0), by: 86_400_000_000) }
        case .timestampSeconds: return time(Int64.self) { scaled($0, by: 1_000_000) }
        case .timestampMilliseconds: return time(Int64.self) { scaled($0, by: 1000) }
        case .timestampNanoseconds: return time(Int64.self) { ($0 - ($0 % 1000 + 1000) % 1000) / 1000 }
        case .varchar: return TextReader(name: name)
        case .decimal: return try decimal(name, type, toDouble)
        case .enum: return try enumeration(name, type)
        case .list, .struct, .map, .union, .array, .time, .timeWithZone, .interval, .blob, .uuid, .bit:
            throw unsupported(name, kind.sqlName)
        }
    }

    private static func unsupported(_ name: String, _ type: String) -> ColumnarFailure {
        ColumnarFailure(
            .invalidArgument, "column '\(name)' has the type \(type), which tables do not hold",
            remedy: "Write CAST(\(SQLText.identifier(name)) AS VARCHAR) in the query.")
    }

    /// Saturates: DuckDB's infinities lie at the ends of the range.
    private static func scaled(_ value: Int64, by factor: Int64) -> Int64 {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        return overflow ? (value < 0 ? .min : .max) : product
    }

    /// Up to 2^53 both the digits and the power of ten (to 10^22) are exact doubles, so that one division gives the
    /// nearest double: the same one that parsing the decimal's text gives.
    private static func decimal(_ name: String, _ type: OpaquePointer?, _ remedy: String) throws -> VectorReader {
        var power = 1.0
        for _ in 0..<duckdb_decimal_scale(type) { power *= 10 }
        let divisor = power
        func reader<Source: FixedWidthInteger & BitwiseCopyable>(_: Source.Type) -> VectorReader {
            func convert(_ raw: Source) -> Double? {
                guard let digits = Double(exactly: raw), digits.magnitude <= 0x1p53, divisor <= 1e22 else { return nil }
                return digits / divisor
            }
            return ConvertingReader<Source, Double>(
                name: name, blank: .nan, remedy: remedy, wrap: { .doubles($0) }, convert: convert)
        }
        switch DuckDBType(rawValue: Int32(duckdb_decimal_internal_type(type))) {
        case .smallint: return reader(Int16.self)
        case .integer: return reader(Int32.self)
        case .bigint: return reader(Int64.self)
        case .hugeint: return reader(Int128.self)
        default: throw unsupported(name, "DECIMAL")
        }
    }

    private static func enumeration(_ name: String, _ type: OpaquePointer?) throws -> VectorReader {
        var dictionary = StringVector()
        for index in 0..<duckdb_enum_dictionary_size(type) {
            guard let text = duckdb_enum_dictionary_value(type, UInt64(index)) else { continue }
            dictionary.append(String(cString: text))
            duckdb_free(text)
        }
        switch DuckDBType(rawValue: Int32(duckdb_enum_internal_type(type))) {
        case .utinyint: return EnumReader<UInt8>(name: name, dictionary: dictionary)
        case .usmallint: return EnumReader<UInt16>(name: name, dictionary: dictionary)
        case .uinteger: return EnumReader<UInt32>(name: name, dictionary: dictionary)
        default: throw unsupported(name, "ENUM")
        }
    }
}
