import Basics
import Features

/// Rows as Feast's clients send them: columns by name, with `event_timestamp` and `created` whatever a view calls them.
struct DataFrame {
    private let columns: [String: [JSONValue]]
    private static let eventTime = "event_timestamp"
    /// What Feast's clients call the created time.
    static let createdTime = "created"

    init(_ columns: [String: [JSONValue]]) { self.columns = columns }

    /// The rows for views that know the event time and the created time by these names, beside all that was sent.
    /// - Parameter moments: the columns that hold moments, which Feast's clients send as seconds since 1970.
    /// - Throws: ``FeastFailure/value(_:remedy:)`` for an object where a value belongs, and what `FeatureRows` throws.
    func rows(eventTimes: Set<String>, createdTimes: Set<String>, moments: Set<String>) throws -> FeatureRows {
        var named = columns
        let times = [(eventTimes, Self.eventTime), (createdTimes, Self.createdTime)]
        for (names, sent) in times {
            for name in names {
                guard let values = columns[name] ?? columns[sent] else { continue }
                named[name] = values.map(Self.moment)
            }
        }
        // Where a view has other names, these two would only be told to be unknown.
        for (names, sent) in times where !names.contains(sent) { named[sent] = nil }
        return try FeatureRows(
            try named.sorted { $0.key < $1.key }.map { name, values in
                let isMoment = moments.contains(name)
                return (name: name, values: try values.map { try Self.value($0, name, isMoment: isMoment) })
            })
    }

    /// A moment with no more digits of a second than moments have here: pandas counts nanoseconds.
    private static func moment(_ value: JSONValue) -> JSONValue {
        guard case .string(let text) = value else { return value }
        return .string(FeastTime.shortened(text))
    }

    private static func value(_ value: JSONValue, _ column: String, isMoment: Bool) throws -> FeatureValue {
        guard case .array(let items) = value else { return .scalar(try scalar(value, column, isMoment)) }
        return .list(try items.map { try scalar($0, column, isMoment) })
    }

    private static func scalar(_ value: JSONValue, _ column: String, _ isMoment: Bool) throws -> ScalarValue {
        switch value {
        case .null: .null
        case .integer(let seconds) where isMoment:
            .timestamp(Timestamp(seconds: 0).advanced(bySeconds: seconds))
        case .bool(let flag): .boolean(flag)
        case .integer(let number): .integer(number)
        case .number(let number): .double(number)
        case .string(let text): .string(text)
        case .array, .object:
            throw FeastFailure.value(
                "the column '\(column)' holds a list or an object where one value belongs", remedy: nil)
        }
    }
}

/// Moments as Feast's clients write them.
enum FeastTime {
    /// - Throws: ``FeastFailure/value(_:remedy:)`` for a text that is no moment.
    static func moment(_ text: String, _ name: String) throws -> Timestamp {
        guard let moment = Timestamp(shortened(text)) else {
            throw FeastFailure.value(
                "'\(name)' is '\(text.prefix(40))', which is no moment",
                remedy: "Write it like 2026-01-20T00:00:00+00:00.")
        }
        return moment
    }

    /// The text with six digits of a fraction at most.
    static func shortened(_ text: String) -> String {
        guard let point = text.firstIndex(of: ".") else { return text }
        let fraction = text[text.index(after: point)...].prefix { $0.isASCII && $0.isNumber }
        guard fraction.count > 6 else { return text }
        return "\(text[...point])\(fraction.prefix(6))\(text[fraction.endIndex...])"
    }
}
