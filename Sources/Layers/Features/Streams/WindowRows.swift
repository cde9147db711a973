import Aggregations
import Basics
import Columnar

/// Rows of windows on their way into a table of the offline engine.
///
/// The engine's appender takes no lists: they go in as JSON, and ``expression(_:of:)`` reads them back.
struct WindowRows {
    private let types: [FeatureType]
    private var entities: [Int64] = []
    private var times: [Int64] = []
    fileprivate var columns: [Values]

    fileprivate struct Values {
        var integers: [Int64] = []
        var doubles: [Double] = []
        var texts: [String] = []
        var flags: [Bool] = []
        var validity: [Bool] = []
    }

    init(_ features: [Feature]) {
        types = features.map(\.type)
        columns = Array(repeating: Values(), count: features.count)
    }

    var count: Int { entities.count }

    static func columnName(_ index: Int) -> String { "f\(index)" }

    /// The columns of the table the rows are appended to.
    static func tableColumns(_ features: [Feature]) -> String {
        (["entity BIGINT", "moment TIMESTAMP"]
            + features.enumerated().map { "\(columnName($0)) \($1.type.isList ? "VARCHAR" : $1.type.sqlType)" })
            .joined(separator: ", ")
    }

    /// SQL that reads a feature from that table.
    static func expression(_ column: String, of type: FeatureType) -> String {
        guard type.isList else { return column }
        switch type.scalar {
        case .string: return "from_json(\(column), '[\"VARCHAR\"]')"
        case .timestamp: return "[make_timestamp(v) FOR v IN CAST(\(column) AS BIGINT[])]"
        default: return "CAST(\(column) AS \(type.sqlType))"
        }
    }

    mutating func append(entity: Int64, _ row: WindowRow) throws {
        entities.append(entity)
        times.append(row.time)
        for (index, type) in types.enumerated() {
            let value = index < row.values.count ? FeatureValue(row.values[index], as: type) : .null
            try columns[index].append(value, type)
        }
    }

    mutating func removeAll() { self = WindowRows(types: types) }

    private init(types: [FeatureType]) {
        self.types = types
        columns = Array(repeating: Values(), count: types.count)
    }

    func table() throws -> Table {
        var members: [(name: String, column: Column)] = [
            ("entity", .int64s(entities)), ("moment", try Column(.timestamps(times))),
        ]
        for (index, type) in types.enumerated() {
            let values = columns[index]
            let column: Column
            if type.isList || type.scalar == .string {
                column = .strings(nullable: zip(values.texts, values.validity).map { $1 ? $0 : nil })
            } else {
                switch type.scalar {
                case .integer: column = try Column(.int64s(values.integers), validity: values.validity)
                case .timestamp: column = try Column(.timestamps(values.integers), validity: values.validity)
                case .boolean: column = try Column(.bools(values.flags), validity: values.validity)
                case .float:
                    column = try Column(.float32s(values.doubles.map { Float($0) }), validity: values.validity)
                case .double, .string: column = try Column(.doubles(values.doubles), validity: values.validity)
                }
            }
            members.append((Self.columnName(index), column))
        }
        return try Table(members)
    }
}

extension WindowRows.Values {
    fileprivate mutating func append(_ value: FeatureValue, _ type: FeatureType) throws {
        var isValid = true
        if type.isList {
            if case .list(let elements) = value {
                texts.append(try Self.text(elements, type.scalar))
            } else {
                texts.append("")
                isValid = false
            }
            validity.append(isValid)
            return
        }
        let scalar: ScalarValue = if case .scalar(let scalar) = value { scalar } else { .null }
        switch type.scalar {
        case .integer, .timestamp:
            switch scalar {
            case .integer(let number): integers.append(number)
            case .timestamp(let moment): integers.append(moment.microseconds)
            default:
                integers.append(0)
                isValid = false
            }
        case .double, .float:
            if case .double(let number) = scalar, !number.isNaN {
                doubles.append(number)
            } else {
                doubles.append(0)
                isValid = false
            }
        case .boolean:
            if case .boolean(let flag) = scalar {
                flags.append(flag)
            } else {
                flags.append(false)
                isValid = false
            }
        case .string:
            if case .string(let text) = scalar {
                texts.append(text)
            } else {
                texts.append("")
                isValid = false
            }
        }
        validity.append(isValid)
    }

    private static func text(_ elements: [ScalarValue], _ type: ScalarType) throws -> String {
        if type == .string {
            return try JSON.string(
                JSONValue.array(
                    elements.map { element in
                        if case .string(let text) = element { .string(text) } else { .null }
                    }))
        }
        // Swift writes the shortest text that reads back to the same bits.
        let texts = elements.map { element in
            switch element {
            case .integer(let number): "\(number)"
            case .double(let number): "\(number)"
            case .boolean(let flag): flag ? "true" : "false"
            case .timestamp(let moment): "\(moment.microseconds)"
            case .null, .string: "NULL"
            }
        }
        return "[\(texts.joined(separator: ", "))]"
    }
}
