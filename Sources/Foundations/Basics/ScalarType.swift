/// The type of one value: of a column, of a feature, of an expression.
public enum ScalarType: String, Sendable, Codable, CaseIterable, Hashable {
    /// 64 bits, signed.
    case integer
    /// IEEE 754 binary64. NaN is not a value: it stands for null wherever it comes from.
    case double
    /// IEEE 754 binary32.
    case float
    /// UTF-8.
    case string
    case boolean
    /// Microseconds since 1970, UTC.
    case timestamp
}

/// One value, or null.
public enum ScalarValue: Sendable, Hashable {
    case null
    case integer(Int64)
    /// Of type `double` or `float`.
    case double(Double)
    case string(String)
    case boolean(Bool)
    case timestamp(Timestamp)
}
