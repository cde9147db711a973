import Basics

/// A typed column: one array of plain values, and which of them are valid.
public struct Column: Sendable {
    /// The values, in one array of their own type.
    public enum Values: Sendable {
        case bools([Bool])
        case int32s([Int32])
        case int64s([Int64])
        case float32s([Float])
        case doubles([Double])
        case strings(StringVector)
        /// Microseconds since 1970-01-01T00:00:00Z. Dates are the midnight (UTC) they begin with.
        case timestamps([Int64])
    }

    /// The values. Where a row is null its slot holds false, zero, an empty text, or NaN for floating point.
    public let values: Values
    /// Whether each row has a value; nil where all have.
    public let validity: [Bool]?

    /// - Parameters:
    ///   - values: the values, one per row; slots of null rows are ignored and need not be filled in any way.
    ///   - validity: one flag per row, or nil where every row has a value.
    /// - Throws: `ColumnarFailure` where the lengths differ.
    public init(_ values: Values, validity: [Bool]? = nil) throws {
        guard let validity, validity.contains(false) else {
            if let validity { try Column.check(values, validity) }
            self.init(trusted: values, validity: nil)
            return
        }
        try Column.check(values, validity)
        let clean: Values =
            switch values {
            case .bools(let array): .bools(Column.clear(array, validity, to: false))
            case .int32s(let array): .int32s(Column.clear(array, validity, to: 0))
            case .int64s(let array): .int64s(Column.clear(array, validity, to: 0))
            case .float32s(let array): .float32s(Column.clear(array, validity, to: .nan))
            case .doubles(let array): .doubles(Column.clear(array, validity, to: .nan))
            case .timestamps(let array): .timestamps(Column.clear(array, validity, to: 0))
            case .strings: values
            }
        self.init(trusted: clean, validity: validity)
    }

    init(trusted values: Values, validity: [Bool]?) {
        self.values = values
        self.validity = validity
    }

    private static func check(_ values: Values, _ validity: [Bool]) throws {
        let count = Column(trusted: values, validity: nil).count
        guard count == validity.count else {
            throw ColumnarFailure(.invalidArgument, "a column of \(count) values has \(validity.count) validity flags")
        }
    }

    private static func clear<Value>(_ array: [Value], _ validity: [Bool], to blank: Value) -> [Value] {
        var array = array
        for index in array.indices where !validity[index] { array[index] = blank }
        return array
    }

    public static func bools(_ values: [Bool]) -> Column { Column(trusted: .bools(values), validity: nil) }
    public static func int64s(_ values: [Int64]) -> Column { Column(trusted: .int64s(values), validity: nil) }
    public static func doubles(_ values: [Double]) -> Column { Column(trusted: .doubles(values), validity: nil) }
    public static func strings(_ values: [String]) -> Column {
        Column(trusted: .strings(StringVector(values)), validity: nil)
    }
    public static func timestamps(_ values: [Timestamp]) -> Column {
        Column(trusted: .timestamps(values.map(\.microseconds)), validity: nil)
    }

    /// A column of texts in which nil is null.
    public static func strings(nullable values: [String?]) -> Column {
        let validity = values.map { $0 != nil }
        let all = !validity.contains(false)
        return Column(trusted: .strings(StringVector(values.lazy.map { $0 ?? "" })), validity: all ? nil : validity)
    }

    /// A column of doubles in which NaN is null: files hold NULL and never NaN.
    public static func doubles(nullingNaN values: [Double]) -> Column {
        guard values.contains(where: \.isNaN) else { return .doubles(values) }
        return Column(trusted: .doubles(values), validity: values.map { !$0.isNaN })
    }

    /// How many rows there are.
    public var count: Int {
        switch values {
        case .bools(let array): array.count
        case .int32s(let array): array.count
        case .int64s(let array): array.count
        case .float32s(let array): array.count
        case .doubles(let array): array.count
        case .strings(let vector): vector.count
        case .timestamps(let array): array.count
        }
    }

    /// How many rows are null.
    public var nullCount: Int { validity?.reduce(into: 0) { $0 += $1 ? 0 : 1 } ?? 0 }

    /// DuckDB's name of the type, such as `DOUBLE`.
    public var typeName: String {
        switch values {
        case .bools: "BOOLEAN"
        case .int32s: "INTEGER"
        case .int64s: "BIGINT"
        case .float32s: "FLOAT"
        case .doubles: "DOUBLE"
        case .strings: "VARCHAR"
        case .timestamps: "TIMESTAMP"
        }
    }

    /// Whether the row has a value; `row` must lie in `0..<count`.
    public func isValid(_ row: Int) -> Bool { validity?[row] ?? true }

    /// The cell at `row`; null for a row outside of the column. For single cells only: loops use `values`.
    public subscript(row: Int) -> ColumnarValue {
        guard row >= 0, row < count, isValid(row) else { return .null }
        return switch values {
        case .bools(let array): .bool(array[row])
        case .int32s(let array): .integer(Int64(array[row]))
        case .int64s(let array): .integer(array[row])
        case .float32s(let array): .double(Double(array[row]))
        case .doubles(let array): .double(array[row])
        case .strings(let vector): .string(vector[row])
        case .timestamps(let array): .timestamp(Timestamp(microseconds: array[row]))
        }
    }
}
