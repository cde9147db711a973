import Basics
import Columnar

/// A value that a rule names, of the type of its column.
public enum ExpectationLiteral: Sendable, Codable, Hashable {
    case integer(Int64)
    case number(Double)
    case text(String)
    case moment(Timestamp)
    case truth(Bool)

    /// - Returns: nil where the text is no value of the type.
    public init?(_ text: String, of type: ScalarType) {
        switch type {
        case .string: self = .text(text)
        case .boolean:
            guard let value = ["true": true, "false": false][text.lowercased()] else { return nil }
            self = .truth(value)
        case .timestamp:
            guard let moment = Timestamp(text) else { return nil }
            self = .moment(moment)
        case .integer, .double, .float:
            if let whole = Int64(text) {
                self = .integer(whole)
            } else {
                guard let number = Double(text), number.isFinite else { return nil }
                self = .number(number)
            }
        }
    }

    var sql: String {
        switch self {
        case .integer(let value): "CAST('\(value)' AS BIGINT)"
        case .number(let value): "CAST('\(value)' AS DOUBLE)"
        case .text(let value): SQLText.literal(value)
        case .moment(let value): SQLText.timestamp(value)
        case .truth(let value): value ? "true" : "false"
        }
    }

    /// As a number, where it is one.
    var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// For people.
    var words: String {
        switch self {
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .text(let value): "'\(value)'"
        case .moment(let value): value.description
        case .truth(let value): "\(value)"
        }
    }

    /// Whether a value lies before it (-1), on it (0) or after it (1); nil where the two can not be compared.
    func order(of value: ColumnarValue) -> Int? {
        func order<Value: Comparable>(_ left: Value, _ right: Value) -> Int { left < right ? -1 : left > right ? 1 : 0 }
        switch (value, self) {
        case (.integer(let left), .integer(let right)): return order(left, right)
        case (.integer(let left), .number(let right)): return order(Double(left), right)
        case (.double(let left), _): return double.flatMap { left.isNaN ? nil : order(left, $0) }
        case (.string(let left), .text(let right)):
            // By code points, as the engine and Python compare texts; Swift compares by canonical forms.
            let (a, b) = (left.unicodeScalars.lazy.map(\.value), right.unicodeScalars.lazy.map(\.value))
            return a.lexicographicallyPrecedes(b) ? -1 : b.lexicographicallyPrecedes(a) ? 1 : 0
        case (.timestamp(let left), .moment(let right)): return order(left, right)
        default: return nil
        }
    }
}

/// A range of values; an end that is nil is open.
public struct ExpectationBounds: Sendable, Codable, Equatable {
    public var minimum: ExpectationLiteral?
    public var maximum: ExpectationLiteral?
    /// Whether the end itself lies outside.
    public var strictMinimum: Bool
    public var strictMaximum: Bool

    public init(
        minimum: ExpectationLiteral? = nil, maximum: ExpectationLiteral? = nil, strictMinimum: Bool = false,
        strictMaximum: Bool = false
    ) {
        self.minimum = minimum
        self.maximum = maximum
        self.strictMinimum = strictMinimum
        self.strictMaximum = strictMaximum
    }

    /// A condition that is true where the value of an SQL expression lies outside, and null where it is null.
    func outside(_ expression: String) -> String {
        let ends = [
            minimum.map { "\(expression) \(strictMinimum ? "<=" : "<") \($0.sql)" },
            maximum.map { "\(expression) \(strictMaximum ? ">=" : ">") \($0.sql)" },
        ].compactMap { $0 }
        return ends.isEmpty ? "false" : ends.joined(separator: " OR ")
    }

    /// Whether a value lies inside; a null never does.
    func contains(_ value: ColumnarValue) -> Bool {
        if value == .null { return false }
        if let minimum {
            guard let order = minimum.order(of: value), strictMinimum ? order > 0 : order >= 0 else { return false }
        }
        if let maximum {
            guard let order = maximum.order(of: value), strictMaximum ? order < 0 : order <= 0 else { return false }
        }
        return true
    }

    /// For people, such as `at least 0 and below 10`.
    var words: String {
        let ends = [
            minimum.map { (strictMinimum ? "above " : "at least ") + $0.words },
            maximum.map { (strictMaximum ? "below " : "at most ") + $0.words },
        ].compactMap { $0 }
        return ends.isEmpty ? "anything" : ends.joined(separator: " and ")
    }
}
