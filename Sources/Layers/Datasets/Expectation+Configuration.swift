import Basics
import Configuration

extension Expectation {
    public init(_ node: YAMLNode, columns: [String]) throws {
        let rules = ["not_null", "between", "in_set", "matches", "unique", "row_count", "sql", "null_fraction"]
        let map = try node.mapping(allowing: ["name", "severity"] + rules)
        name = try map.string("name")
        severity = try map.choice("severity", default: .stop)
        let present = rules.filter { map.node($0) != nil }
        guard present.count == 1, let kind = present.first else {
            throw ConfigurationFailure(node.place, "an expectation has exactly one of \(rules.joined(separator: ", "))")
        }
        let value = try map.required(kind)
        func column(_ name: String, at node: YAMLNode) throws -> String {
            guard columns.contains(name) else {
                let nearest = NearestWord.of(name, among: columns)
                throw ConfigurationFailure(
                    node.place, "there is no column '\(name)'" + (nearest.map { " (did you mean '\($0)'?)" } ?? ""))
            }
            return name
        }
        switch kind {
        case "not_null": rule = .notNull(try map.strings(kind).map { try column($0, at: value) })
        case "unique": rule = .unique(try map.strings(kind).map { try column($0, at: value) })
        case "sql": rule = .sql(try value.string())
        case "row_count":
            let bounds = try value.mapping(allowing: ["min", "max"])
            rule = .rowCount(
                minimum: try bounds.optionalInt("min").map { Int64($0) },
                maximum: try bounds.optionalInt("max").map { Int64($0) })
        case "between":
            let bounds = try value.mapping(allowing: ["column", "min", "max"])
            rule = .between(
                column: try column(bounds.string("column"), at: value), minimum: try bounds.optionalDouble("min"),
                maximum: try bounds.optionalDouble("max"))
        case "in_set":
            let set = try value.mapping(allowing: ["column", "values"])
            rule = .inSet(column: try column(set.string("column"), at: value), values: try set.strings("values"))
        case "matches":
            let match = try value.mapping(allowing: ["column", "pattern"])
            rule = .matches(column: try column(match.string("column"), at: value), pattern: try match.string("pattern"))
        default:
            let bound = try value.mapping(allowing: ["column", "max"])
            rule = .nullFraction(column: try column(bound.string("column"), at: value), maximum: try bound.share("max"))
        }
    }
}
