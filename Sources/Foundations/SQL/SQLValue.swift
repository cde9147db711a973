import Basics

/// One value on its way into or out of a database.
public enum SQLValue: Hashable, Sendable {
    case null
    case integer(Int64)
    /// Every number but NaN comes back bit for bit; negative zero as zero.
    case double(Double)
    /// Any text without a NUL character.
    case text(String)
    case blob([UInt8])

    public init(_ value: String?) { self = value.map(SQLValue.text) ?? .null }
    public init(_ value: Int64?) { self = value.map(SQLValue.integer) ?? .null }
    public init(_ value: Int?) { self = value.map { .integer(Int64($0)) } ?? .null }
    public init(_ value: Double?) { self = value.map(SQLValue.double) ?? .null }
    public init(_ value: [UInt8]?) { self = value.map(SQLValue.blob) ?? .null }

    /// Stored as 0 or 1.
    public init(_ value: Bool?) { self = value.map { .integer($0 ? 1 : 0) } ?? .null }

    /// Stored as whole microseconds since 1970 in UTC.
    public init(_ value: Timestamp?) { self = value.map { .integer($0.microseconds) } ?? .null }

    /// Stored as 64 hexadecimal digits.
    public init(_ value: Digest?) { self = value.map { .text($0.hex) } ?? .null }

    /// Refuses what not every engine can keep.
    func check(index: Int, sql: String) throws {
        switch self {
        case .double(let number) where number.isNaN:
            throw SQLFailure.parameter(index: index, sql: sql, reason: "is not a number; use null")
        case .text(let text) where text.utf8.contains(0):
            throw SQLFailure.parameter(index: index, sql: sql, reason: "holds a NUL character; use bytes")
        default: break
        }
    }

    /// What kind of value this is, in words for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .integer: "an integer"
        case .double: "a floating-point number"
        case .text: "text"
        case .blob: "bytes"
        }
    }
}

extension SQLValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(booleanLiteral value: Bool) { self = .integer(value ? 1 : 0) }
    public init(nilLiteral: ()) { self = .null }
}

extension Double {
    /// SQLite keeps whole numbers of REAL columns as integers, which know one zero only.
    var withoutNegativeZero: Double { self == 0 ? 0 : self }
}
