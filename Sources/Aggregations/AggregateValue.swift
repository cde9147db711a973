import Basics

/// The value of a declared feature: one value or, for `lastN`, a list of values, newest first.
public enum AggregateValue: Sendable, Hashable {
    case scalar(ScalarValue)
    case list([ScalarValue])

    /// A scalar null.
    public static let null = AggregateValue.scalar(.null)

    /// Whether both have the same bits: unlike `==`, texts are compared by their UTF-8.
    public func isIdentical(to other: AggregateValue) -> Bool {
        switch (self, other) {
        case (.scalar(let left), .scalar(let right)): left.isIdentical(to: right)
        case (.list(let left), .list(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.isIdentical(to: $1) }
        default: false
        }
    }
}

extension ScalarValue {
    /// Whether both have the same bits.
    func isIdentical(to other: ScalarValue) -> Bool {
        switch (self, other) {
        case (.null, .null): true
        case (.integer(let left), .integer(let right)): left == right
        case (.double(let left), .double(let right)): left.bitPattern == right.bitPattern
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.boolean(let left), .boolean(let right)): left == right
        case (.timestamp(let left), .timestamp(let right)): left == right
        default: false
        }
    }

    /// Whether a column of this type may hold the value; a whole number may stand in a column of fractions.
    func fits(_ type: ScalarType) -> Bool {
        switch (self, type) {
        case (.null, _), (.integer, .integer), (.integer, .double), (.integer, .float), (.double, .double),
            (.double, .float), (.string, .string), (.boolean, .boolean), (.timestamp, .timestamp):
            true
        default: false
        }
    }

    var typeName: String {
        switch self {
        case .null: "null"
        case .integer: ScalarType.integer.rawValue
        case .double: ScalarType.double.rawValue
        case .string: ScalarType.string.rawValue
        case .boolean: ScalarType.boolean.rawValue
        case .timestamp: ScalarType.timestamp.rawValue
        }
    }

    /// As a number; nil for null, NaN and texts. Minus zero becomes zero, so that equal numbers have equal bits.
    var number: Double? {
        switch self {
        case .double(let value): value.isNaN ? nil : value + 0
        case .integer(let value): Double(value)
        case .boolean(let value): value ? 1 : 0
        case .timestamp(let value): Double(value.microseconds)
        case .null, .string: nil
        }
    }

    /// As a whole number; nil for null, fractions and texts. A truth value is 0 or 1, a time its microseconds.
    var wholeNumber: Int64? {
        switch self {
        case .integer(let value): value
        case .boolean(let value): value ? 1 : 0
        case .timestamp(let value): value.microseconds
        case .null, .double, .string: nil
        }
    }

    /// As a column of `type` keeps it: NaN is null, minus zero is zero, a whole number among fractions is a fraction.
    func kept(as type: ScalarType) -> ScalarValue {
        switch self {
        case .double(let value): value.isNaN ? .null : .double(value + 0)
        case .integer(let value) where type == .double || type == .float: .double(Double(value))
        default: self
        }
    }
}
