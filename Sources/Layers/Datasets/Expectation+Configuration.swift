import Basics
import Configuration

extension Expectation {
    /// Every rule's key.
    static let ruleKeys =
        [
            "not_null", "is_null", "between", "in_set", "not_in_set", "matches", "not_matches", "length", "unique",
            "increasing", "decreasing", "compare", "sum_to", "sql", "query", "row_count", "columns", "types",
            "null_fraction", "quantile", "freshness", "distribution",
        ] + Statistic.allCases.map(\.rawValue)

    /// - Parameter columns: those of the table; a rule that names another is refused.
    /// - Throws: ``ConfigurationFailure``.
    public init(_ node: YAMLNode, columns: [TableDefinition.ColumnDefinition]) throws {
        let map = try node.mapping(allowing: ["name", "severity", "mostly"] + Self.ruleKeys)
        name = try map.string("name")
        severity = try map.choice("severity", default: .stop)
        mostly = map.node("mostly") == nil ? nil : try map.share("mostly")
        let present = Self.ruleKeys.filter { map.node($0) != nil }
        guard present.count == 1, let key = present.first else {
            throw ConfigurationFailure(
                node.place,
                "an expectation has exactly one rule"
                    + (present.isEmpty ? "" : ", and '\(name)' has \(present.joined(separator: " and "))"),
                remedy: "Rules: \(Self.ruleKeys.joined(separator: ", ")).")
        }
        rule = try RuleReader(columns: columns).read(key, try map.required(key), in: map)
        guard !rule.isAboutRows else { return }
        if severity == .quarantine {
            throw ConfigurationFailure(
                (map.node("severity") ?? node).place,
                "'\(key)' is about the whole table, so it has no rows to quarantine",
                remedy: "Use severity stop or warn.")
        }
        if let node = map.node("mostly") {
            throw ConfigurationFailure(
                node.place, "'\(key)' is about the whole table, so 'mostly' means nothing here",
                remedy: "Leave 'mostly' out.")
        }
    }
}

/// Reads one rule, and checks it against the columns it is about.
private struct RuleReader {
    let columns: [TableDefinition.ColumnDefinition]

    func read(_ key: String, _ value: YAMLNode, in map: ConfigurationMapping) throws -> Expectation.Rule {
        if let statistic = Expectation.Statistic(rawValue: key) { return try self.statistic(statistic, value) }
        switch key {
        case "not_null": return .notNull(try names(value))
        case "is_null": return .null(try names(value))
        case "between":
            let map = try value.mapping(allowing: ["column"] + Self.boundKeys)
            let column = try column(map)
            return .between(column: column.name, bounds: try bounds(map, column.type))
        case "in_set", "not_in_set":
            let map = try value.mapping(allowing: ["column", "values"])
            let column = try column(map)
            let values = try items(map.required("values")).map { try literal($0, column.type) }
            return key == "in_set"
                ? .inSet(column: column.name, values: values) : .notInSet(column: column.name, values: values)
        case "matches", "not_matches":
            let map = try value.mapping(allowing: ["column", "pattern"])
            let column = try column(map, of: [.string], "a text").name
            let pattern = try map.string("pattern")
            if let problem = RegularExpression.problem(pattern) {
                throw ConfigurationFailure(
                    try map.required("pattern").place, "'pattern' has \(problem), which RE2 does not know",
                    remedy: "Write it without, or use 'sql'.")
            }
            return key == "matches"
                ? .matches(column: column, pattern: pattern) : .notMatches(column: column, pattern: pattern)
        case "length":
            let map = try value.mapping(allowing: ["column"] + Self.boundKeys)
            return .length(column: try column(map, of: [.string], "a text").name, bounds: try bounds(map, .integer))
        case "unique":
            guard case .mapping = value.content else { return .unique(columns: try names(value), nullsEqual: false) }
            let map = try value.mapping(allowing: ["columns", "nulls"])
            let nulls: Nulls = try map.choice("nulls", default: .distinct)
            return .unique(columns: try names(map.required("columns")), nullsEqual: nulls == .equal)
        case "increasing", "decreasing":
            let map = try value.mapping(allowing: ["column", "strictly"])
            let column = try column(map).name
            let strictly = try map.bool("strictly", default: false)
            return key == "increasing"
                ? .increasing(column: column, strictly: strictly) : .decreasing(column: column, strictly: strictly)
        case "compare": return try compare(value)
        case "sum_to":
            let map = try value.mapping(allowing: ["columns", "total", "ignore"])
            let node = try map.required("columns")
            for item in try items(node) { _ = try column(item, of: Self.numbers, "a number") }
            return .sumTo(
                columns: try names(node), total: try map.double("total"),
                ignoring: try map.choice("ignore", default: .any))
        case "sql": return .sql(try value.string())
        case "query": return .query(try value.string())
        default: return try whole(key, value)
        }
    }

    private enum Nulls: String, CaseIterable { case distinct, equal }

    private static let boundKeys = ["min", "max", "strict_min", "strict_max"]
    private static let numbers: [ScalarType] = [.integer, .double, .float]

    private func whole(_ key: String, _ value: YAMLNode) throws -> Expectation.Rule {
        switch key {
        case "row_count":
            return .rowCount(try bounds(value.mapping(allowing: Self.boundKeys), .integer))
        case "columns":
            let map = try value.mapping(allowing: ["exist", "set", "ordered"])
            let given = ["exist", "set", "ordered"].filter { map.node($0) != nil }
            guard given.count == 1, let kind = given.first else {
                throw ConfigurationFailure(value.place, "'columns' has exactly one of exist, set, ordered")
            }
            let names = try map.strings(kind)
            return .columns(kind == "exist" ? .exist(names) : kind == "set" ? .set(names) : .ordered(names))
        case "types":
            return .types(
                try value.mapping().entries.map { entry in
                    let column = try known(entry.key, at: entry.place)
                    let types = try items(entry.value).map { item in
                        guard let type = ScalarType(rawValue: try item.string()) else {
                            throw ConfigurationFailure(
                                item.place,
                                "a type must be one of "
                                    + ScalarType.allCases.map(\.rawValue).joined(separator: ", "))
                        }
                        return type
                    }
                    return Expectation.ColumnTypes(column: column.name, types: types)
                })
        case "null_fraction":
            let map = try value.mapping(allowing: ["column", "max"])
            return .nullFraction(column: try column(map).name, maximum: try map.share("max"))
        case "quantile":
            let map = try value.mapping(allowing: ["column", "at", "interpolation"])
            let column = try column(map, of: Self.numbers, "a number").name
            let interpolation: Interpolation = try map.choice("interpolation", default: .linear)
            let ranges = try map.required("at").mapping().entries.map { entry in
                let ends = try entry.value.sequence()
                guard let at = Double(entry.key), (0...1).contains(at), ends.count == 2 else {
                    throw ConfigurationFailure(
                        entry.place, "'at' has entries such as 0.5: [1, 10], with ~ for an end that is open")
                }
                let values = try ends.map { $0.isNull ? nil : try literal($0, .double).double }
                return Expectation.QuantileRange(at: at, minimum: values[0], maximum: values[1])
            }
            return .quantile(column: column, ranges: ranges, nearest: interpolation == .nearest)
        case "freshness":
            let map = try value.mapping(allowing: ["column", "within"])
            return .freshness(
                column: try column(map, of: [.timestamp], "a time").name, withinSeconds: try map.seconds("within"))
        default: return try distribution(value)
        }
    }

    private enum Interpolation: String, CaseIterable { case linear, nearest }

    private func statistic(_ statistic: Expectation.Statistic, _ value: YAMLNode) throws -> Expectation.Rule {
        let map = try value.mapping(allowing: ["column"] + Self.boundKeys)
        let column: TableDefinition.ColumnDefinition
        switch statistic {
        case .distinctCount, .distinctFraction, .nonNullFraction: column = try self.column(map)
        case .minimum, .maximum:
            column = try self.column(map, of: Self.numbers + [.string, .timestamp], "a number, a text or a time")
            return .statistic(statistic, column: column.name, bounds: try bounds(map, column.type))
        case .mean, .median, .std, .sum: column = try self.column(map, of: Self.numbers, "a number")
        }
        return .statistic(statistic, column: column.name, bounds: try bounds(map, .double))
    }

    private func compare(_ value: YAMLNode) throws -> Expectation.Rule {
        let map = try value.mapping(allowing: ["left", "op", "right", "ignore"])
        let left = try column(map.required("left"))
        let right = try column(map.required("right"))
        guard left.type == right.type || (Self.numbers.contains(left.type) && Self.numbers.contains(right.type)) else {
            throw ConfigurationFailure(
                value.place,
                "'\(left.name)' is \(left.type.rawValue) and '\(right.name)' is \(right.type.rawValue): "
                    + "the two can not be compared")
        }
        return .compare(
            left: left.name, comparison: try map.choice("op"), right: right.name,
            ignoring: try map.choice("ignore", default: .any))
    }

    private func distribution(_ value: YAMLNode) throws -> Expectation.Rule {
        let map = try value.mapping(allowing: ["column", "reference", "profile", "psi", "ks"])
        let measures = Expectation.Measure.allCases.filter { map.node($0.rawValue) != nil }
        guard measures.count == 1, let measure = measures.first else {
            throw ConfigurationFailure(value.place, "'distribution' has exactly one of psi, ks: how far apart at most")
        }
        let column = try column(map, of: Self.numbers + [.string, .boolean], "a number or a text")
        if measure == .ks, !Self.numbers.contains(column.type) {
            throw ConfigurationFailure(
                try map.required("ks").place, "'ks' needs a number, and '\(column.name)' is \(column.type.rawValue)",
                remedy: "Use psi.")
        }
        let maximum = try map.double(measure.rawValue)
        guard maximum >= 0 else {
            throw ConfigurationFailure(try map.required(measure.rawValue).place, "a distance is 0 or more")
        }
        let reference: Expectation.Reference
        switch (try map.optionalString("reference"), try map.optionalString("profile")) {
        case (let text?, nil):
            let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
                throw ConfigurationFailure(
                    try map.required("reference").place,
                    "'reference' is TABLE@VERSION, such as orders@3f9a or orders@latest, and is '\(text)'")
            }
            reference = .version(table: parts[0], digest: parts[1] == "latest" ? nil : parts[1])
        case (nil, let path?): reference = .profile(path)
        default:
            throw ConfigurationFailure(value.place, "'distribution' has exactly one of reference, profile")
        }
        return .distribution(column: column.name, reference: reference, measure: measure, maximum: maximum)
    }

    private func bounds(_ map: ConfigurationMapping, _ type: ScalarType) throws -> ExpectationBounds {
        let bounds = ExpectationBounds(
            minimum: try map.node("min").map { try literal($0, type) },
            maximum: try map.node("max").map { try literal($0, type) },
            strictMinimum: try map.bool("strict_min", default: false),
            strictMaximum: try map.bool("strict_max", default: false))
        guard bounds.minimum != nil || bounds.maximum != nil else {
            throw ConfigurationFailure(map.place, "a range needs 'min', 'max' or both")
        }
        return bounds
    }

    private func literal(_ node: YAMLNode, _ type: ScalarType) throws -> ExpectationLiteral {
        let text = try node.string()
        guard let literal = ExpectationLiteral(text, of: type) else {
            throw ConfigurationFailure(node.place, "'\(text)' is no value of the type \(type.rawValue)")
        }
        return literal
    }

    /// The items of a list; a single value by itself counts as a list of one.
    private func items(_ node: YAMLNode) throws -> [YAMLNode] {
        if case .scalar = node.content { [node] } else { try node.sequence() }
    }

    private func names(_ node: YAMLNode) throws -> [String] {
        let names = try items(node).map { try column($0).name }
        guard !names.isEmpty else { throw ConfigurationFailure(node.place, "a column is wanted here") }
        return names
    }

    private func column(_ map: ConfigurationMapping, of types: [ScalarType] = [], _ wanted: String = "") throws
        -> TableDefinition.ColumnDefinition
    {
        try column(try map.required("column"), of: types, wanted)
    }

    private func column(_ node: YAMLNode, of types: [ScalarType] = [], _ wanted: String = "") throws
        -> TableDefinition.ColumnDefinition
    {
        let column = try known(try node.string(), at: node.place)
        guard types.isEmpty || types.contains(column.type) else {
            throw ConfigurationFailure(
                node.place, "this rule needs \(wanted), and '\(column.name)' is \(column.type.rawValue)")
        }
        return column
    }

    private func known(_ name: String, at place: SourcePlace) throws -> TableDefinition.ColumnDefinition {
        guard let column = columns.first(where: { $0.name == name }) else {
            let nearest = NearestWord.of(name, among: columns.map(\.name))
            throw ConfigurationFailure(
                place, "there is no column '\(name)'" + (nearest.map { " (did you mean '\($0)'?)" } ?? ""))
        }
        return column
    }
}
