import Aggregations
import Basics
import Configuration

/// One declared aggregation over a window of time.
public struct WindowFeature: Sendable, Codable, Equatable {
    public var name: String
    public var function: AggregateFunction
    /// The column of the event source; nil counts events.
    public var column: String?
    public var windowSeconds: Int64
    /// The type of the column: as written, else as the stream declares it, else a double.
    public var columnType: ScalarType?

    /// The type of its values.
    public var type: FeatureType {
        let column = columnType ?? .double
        return switch function {
        case .count, .distinctCount: FeatureType(.integer)
        case .mean, .std, .percentile: FeatureType(.double)
        case .sum: FeatureType(column == .integer ? .integer : .double)
        case .min, .max, .last: FeatureType(column)
        case .lastN: FeatureType(column, isList: true)
        }
    }
}

extension WindowFeature {
    private static let functions = [
        "count", "sum", "mean", "min", "max", "std", "distinct", "last", "last_n", "percentile",
    ]

    /// Reads `name: {mean: column, over: 3h}`. With a list of windows the name is followed by each: `name_3h`, `name_1d`.
    public static func list(_ node: YAMLNode) throws -> [WindowFeature] {
        try node.mapping().entries.flatMap { entry -> [WindowFeature] in
            let map = try entry.value.mapping(allowing: functions + ["over", "n", "q", "type"])
            let present = functions.filter { map.node($0) != nil }
            guard present.count == 1, let kind = present.first else {
                throw ConfigurationFailure(
                    entry.value.place, "an aggregation has exactly one of \(functions.joined(separator: ", "))")
            }
            let column = try map.string(kind)
            guard column != "*" || kind == "count" else {
                throw ConfigurationFailure(try map.required(kind).place, "only 'count' takes '*'")
            }
            let function = try function(kind, map)
            let type: ScalarType? = map.node("type") == nil ? nil : try map.choice("type")
            let over = try map.required("over")
            if case .sequence(let windows) = over.content {
                return try windows.map { window in
                    WindowFeature(
                        name: "\(entry.key)_\(try window.string())", function: function,
                        column: column == "*" ? nil : column, windowSeconds: try window.seconds(), columnType: type)
                }
            }
            return [
                WindowFeature(
                    name: entry.key, function: function, column: column == "*" ? nil : column,
                    windowSeconds: try map.seconds("over"), columnType: type)
            ]
        }
    }

    private static func function(_ kind: String, _ map: ConfigurationMapping) throws -> AggregateFunction {
        if map.node("n") != nil, kind != "last_n" {
            throw ConfigurationFailure(try map.required("n").place, "only 'last_n' takes 'n'")
        }
        if map.node("q") != nil, kind != "percentile" {
            throw ConfigurationFailure(try map.required("q").place, "only 'percentile' takes 'q'")
        }
        switch kind {
        case "count": return .count
        case "sum": return .sum
        case "mean": return .mean
        case "min": return .min
        case "max": return .max
        case "std": return .std
        case "distinct": return .distinctCount
        case "last": return .last
        case "last_n":
            let n = try map.int("n")
            guard (1...1000).contains(n) else {
                throw ConfigurationFailure(try map.required("n").place, "'n' must be from 1 to 1000")
            }
            return .lastN(n)
        default: return .percentile(try map.share("q"))
        }
    }
}
