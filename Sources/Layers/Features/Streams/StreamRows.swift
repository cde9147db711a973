import Basics
import Datasets

/// Events as they are sent, checked against the columns that their stream declares.
struct StreamRows: Sendable {
    /// In the order of the declared columns.
    let rows: [[ScalarValue]]
    /// Columns that the stream does not declare.
    let ignored: [String]

    /// Times of events lie within plus and minus this.
    private static let farthest: Int64 = 1 << 60

    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` for a missing column, a value of another type, or an event time that
    ///   is null, out of range or more than a day ahead; no row counts then.
    init(_ given: FeatureRows, of events: EventsDefinition, _ stream: StreamDefinition, now: Timestamp) throws {
        var columns: [[ScalarValue]] = []
        for column in stream.columns {
            guard let values = given.values(column.name) else {
                throw FeaturesFailure.request(
                    "the column '\(column.name)' of the event source '\(events.name)' is missing",
                    remedy: NearestWord.of(column.name, among: given.columns.map(\.name)).map { "You sent '\($0)'." }
                        ?? "Send it, with null where there is no value.")
            }
            columns.append(
                try values.enumerated().map { row, value in
                    let what = "the column '\(column.name)' of row \(row)"
                    guard case .scalar(let scalar) = try ParsedRows.typed(value, FeatureType(column.type), what) else {
                        return .null
                    }
                    if column.name == events.eventTime { try Self.check(scalar, what, now) }
                    return scalar
                })
        }
        rows = (0..<given.count).map { row in columns.map { $0[row] } }
        let known = Set(stream.columns.map(\.name))
        ignored = given.columns.map(\.name).filter { !known.contains($0) }
    }

    private static func check(_ value: ScalarValue, _ what: String, _ now: Timestamp) throws {
        guard case .timestamp(let moment) = value else {
            throw FeaturesFailure.request("\(what) is null", remedy: "Send the moment at which the event happened.")
        }
        guard (-farthest...farthest).contains(moment.microseconds),
            moment.microseconds.subtractingReportingOverflow(now.microseconds).partialValue <= StreamSource.aheadMax
        else {
            throw FeaturesFailure.request(
                "\(what) is \(moment), and it is \(now)", remedy: "Check the clock and the unit of the event times.")
        }
    }
}

extension FeatureRows {
    /// Rows that were sent as JSON objects; a name that an object leaves out is null there.
    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` for what is no object of values.
    public init(objects: [JSONValue]) throws {
        var names: [String] = []
        var known: Set<String> = []
        var members: [[String: JSONValue]] = []
        for (row, object) in objects.enumerated() {
            guard case .object(let values) = object else {
                throw FeaturesFailure.request("row \(row) is no JSON object", remedy: "Send objects of columns.")
            }
            for name in values.keys.sorted() where known.insert(name).inserted { names.append(name) }
            members.append(values)
        }
        try self.init(
            try names.map { name in
                (name, try members.enumerated().map { row, values in try Self.value(values[name], name, row) })
            })
    }

    private static func value(_ value: JSONValue?, _ name: String, _ row: Int) throws -> FeatureValue {
        func scalar(_ value: JSONValue) throws -> ScalarValue {
            switch value {
            case .null: .null
            case .bool(let flag): .boolean(flag)
            case .integer(let number): .integer(number)
            case .number(let number): .double(number)
            case .string(let text): .string(text)
            case .array, .object:
                throw FeaturesFailure.request(
                    "the column '\(name)' of row \(row) is nested", remedy: "Send single values or lists of them.")
            }
        }
        guard let value else { return .null }
        if case .array(let elements) = value { return .list(try elements.map(scalar)) }
        return .scalar(try scalar(value))
    }
}
