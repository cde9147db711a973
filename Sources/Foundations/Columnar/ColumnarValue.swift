import Basics

/// One value: a parameter of a query, or a cell of a table.
public enum ColumnarValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case double(Double)
    case string(String)
    case timestamp(Timestamp)
}

extension ColumnarValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
}

/// Names and values written into SQL text safely.
public enum SQLText {
    /// `name` in double quotes, with those inside doubled: usable wherever SQL wants an identifier.
    public static func identifier(_ name: String) -> String { quoted(name, by: "\"") }

    /// `text` in single quotes, with those inside doubled: usable wherever SQL wants a string literal.
    public static func literal(_ text: String) -> String { quoted(text, by: "'") }

    private static func quoted(_ text: String, by quote: Unicode.Scalar) -> String {
        var result = String(quote)
        // By scalar: a quote followed by a combining mark is one Character, and would escape doubling.
        for scalar in text.unicodeScalars {
            if scalar == quote { result.unicodeScalars.append(quote) }
            result.unicodeScalars.append(scalar)
        }
        result.unicodeScalars.append(quote)
        return result
    }
}
