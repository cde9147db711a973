import Basics
import Expressions

/// One row that the tests' expressions refer to.
enum Rows {
    static let types: [String: ScalarType] = [
        "i": .integer, "j": .integer, "big": .integer, "small": .integer, "ni": .integer, "x": .double, "y": .double,
        "huge": .double, "nd": .double, "f": .float, "s": .string, "empty": .string, "ns": .string, "yes": .boolean,
        "no": .boolean, "nb": .boolean, "t": .timestamp, "u": .timestamp, "nt": .timestamp,
        "aircraft_now__delay": .double,
    ]

    static let values: [String: ScalarValue] = [
        "i": .integer(7), "j": .integer(-3), "big": .integer(.max), "small": .integer(.min), "x": .double(2.5),
        "y": .double(-4), "huge": .double(1e308), "f": .double(0.1), "s": .string("Straße"), "empty": .string(""),
        "yes": .boolean(true), "no": .boolean(false), "t": .timestamp(moment("2024-03-10T06:59:59.5Z")),
        "u": .timestamp(moment("2024-03-12T07:00:00Z")), "aircraft_now__delay": .double(12),
    ]

    static func moment(_ text: String) -> Timestamp { Timestamp(text) ?? .distantPast }

    static func evaluate(_ text: String) throws -> ScalarValue {
        try ScalarExpression(text, names: types).evaluate(values)
    }

    static func type(_ text: String) throws -> ScalarType { try ScalarExpression(text, names: types).type }
}
