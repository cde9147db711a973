import Basics
import Columnar

extension GreatExpectationsSuite {
    /// The suite's expectations in our vocabulary. Each gives the same verdict and the same unexpected count; those of which
    /// that is not known are left out with a warning.
    ///
    /// - Parameters:
    ///   - columns: those of the table the suite is for.
    ///   - table: the table's name.
    public func expectations(for columns: [TableDefinition.ColumnDefinition], of table: String)
        -> SuiteTranslation<[Expectation]>
    {
        var translated: [Expectation] = []
        var warnings: [String] = []
        var names: Set<String> = []
        for (index, configuration) in expectations.enumerated() {
            do throws(NotTaken) {
                var reader = ConfigurationReader(configuration, columns: columns, table: table)
                var expectation = try reader.expectation()
                let base = expectation.name
                var number = 1
                while !names.insert(expectation.name).inserted {
                    number += 1
                    expectation.name = "\(base)_\(number)"
                }
                translated.append(expectation)
            } catch {
                warnings.append("expectation \(index + 1), \(configuration.type): \(error.reason)")
            }
        }
        return SuiteTranslation(result: translated, warnings: warnings)
    }
}

/// Why one expectation is not taken over.
private struct NotTaken: Error {
    let reason: String
}

/// Reads one configuration; what is left of its arguments at the end is not known.
private struct ConfigurationReader {
    private let configuration: GreatExpectationsSuite.Configuration
    private let columns: [TableDefinition.ColumnDefinition]
    private let table: String
    private var rest: [String: JSONValue]

    /// Arguments that say how a result is told, not what it is.
    private static let irrelevant = [
        "result_format", "catch_exceptions", "include_config", "batch_id", "meta", "notes", "description", "id",
        "rendered_content", "windows", "severity", "auto", "profiler_config",
    ]

    init(
        _ configuration: GreatExpectationsSuite.Configuration, columns: [TableDefinition.ColumnDefinition],
        table: String
    ) {
        self.table = table
        self.configuration = configuration
        self.columns = columns
        rest = configuration.kwargs.filter { $0.value != .null && !Self.irrelevant.contains($0.key) }
    }

    mutating func expectation() throws(NotTaken) -> Expectation {
        let mostly = try optionalNumber("mostly")
        if let mostly, !(0...1).contains(mostly) { throw NotTaken(reason: "'mostly' must lie from 0 to 1") }
        let rule = try rule()
        if let unknown = rest.keys.min() { throw NotTaken(reason: "the argument '\(unknown)' is not known") }
        // 1.0 says nothing, and for a whole table it is given all the same.
        guard rule.isAboutRows || mostly == nil || mostly == 1 else {
            throw NotTaken(reason: "'mostly' means nothing for a whole table")
        }
        let ours = configuration.meta["modelworks"]
        let named = ours?["severity"]?.string.flatMap { Expectation.Severity(rawValue: $0) }
        var severity = named ?? (["warning", "info"].contains(configuration.severity) ? .warn : .stop)
        if severity == .quarantine, !rule.isAboutRows { severity = .warn }
        let subject = rule.columnNames.prefix(3).joined(separator: "_")
        return Expectation(
            name: ours?["name"]?.string ?? (subject.isEmpty ? rule.key : "\(subject)_\(rule.key)"),
            severity: severity, mostly: mostly == 1 ? nil : mostly, rule: rule)
    }

    private mutating func rule() throws(NotTaken) -> Expectation.Rule {
        switch configuration.type {
        case "expect_column_values_to_not_be_null": return .notNull([try column().name])
        case "expect_column_values_to_be_null": return .null([try column().name])
        case "expect_column_values_to_be_between":
            let column = try column()
            return .between(column: column.name, bounds: try bounds(column.type))
        case "expect_column_values_to_be_in_set":
            let column = try column()
            return .inSet(column: column.name, values: try values("value_set", column.type))
        case "expect_column_values_to_not_be_in_set":
            let column = try column()
            return .notInSet(column: column.name, values: try values("value_set", column.type))
        case "expect_column_values_to_match_regex":
            return .matches(column: try column(of: [.string]).name, pattern: try pattern())
        case "expect_column_values_to_not_match_regex":
            return .notMatches(column: try column(of: [.string]).name, pattern: try pattern())
        case "expect_column_values_to_be_unique": return .unique(columns: [try column().name], nullsEqual: false)
        case "expect_column_value_lengths_to_be_between":
            return .length(column: try column(of: [.string]).name, bounds: try bounds(.integer))
        case "expect_column_value_lengths_to_equal":
            return .length(column: try column(of: [.string]).name, bounds: try exactly())
        case "expect_column_values_to_be_increasing":
            return .increasing(column: try column().name, strictly: try flag("strictly"))
        case "expect_column_values_to_be_decreasing":
            return .decreasing(column: try column().name, strictly: try flag("strictly"))
        case "expect_compound_columns_to_be_unique":
            let columns = try columnList()
            switch try text("ignore_row_if", default: "all_values_are_missing") {
            case "all_values_are_missing": return .unique(columns: columns, nullsEqual: true)
            case "any_value_is_missing": return .unique(columns: columns, nullsEqual: false)
            case let other: throw NotTaken(reason: "'ignore_row_if: \(other)' is not taken")
            }
        case "expect_column_pair_values_a_to_be_greater_than_b":
            return try compare(try flag("or_equal") ? .greaterOrEqual : .greater)
        case "expect_column_pair_values_to_be_equal": return try compare(.equal)
        case "expect_multicolumn_sum_to_equal":
            let columns = try columnList(of: Self.numbers)
            return .sumTo(
                columns: columns, total: try number("sum_total"),
                ignoring: try missing(default: "all_values_are_missing"))
        case "unexpected_rows_expectation":
            return .query(
                try text("unexpected_rows_query").replacing("{batch}", with: SQLText.identifier(table)))
        default: return try whole()
        }
    }

    private static let numbers: [ScalarType] = [.integer, .double, .float]

    private mutating func whole() throws(NotTaken) -> Expectation.Rule {
        switch configuration.type {
        case "expect_column_values_to_be_of_type":
            let column = try column().name
            return .types([.init(column: column, types: [try type(text("type_"))])])
        case "expect_column_values_to_be_in_type_list":
            let column = try column().name
            var types: [ScalarType] = []
            for name in try texts("type_list") {
                let type = try type(name)
                if !types.contains(type) { types.append(type) }
            }
            return .types([.init(column: column, types: types)])
        case "expect_column_to_exist": return .columns(.exist([try text("column")]))
        case "expect_table_columns_to_match_set":
            let names = try texts("column_set")
            return .columns(try flag("exact_match", default: true) ? .set(names) : .exist(names))
        case "expect_table_columns_to_match_ordered_list": return .columns(.ordered(try texts("column_list")))
        case "expect_table_row_count_to_be_between": return .rowCount(try bounds(.integer))
        case "expect_table_row_count_to_equal": return .rowCount(try exactly())
        case "expect_column_quantile_values_to_be_between": return try quantiles()
        case let type:
            guard let statistic = SuiteTypes.statistics[type] else { throw NotTaken(reason: "the type is not known") }
            switch statistic {
            case .minimum, .maximum:
                let column = try column(of: Self.numbers + [.string, .timestamp])
                return .statistic(statistic, column: column.name, bounds: try bounds(column.type))
            case .distinctCount, .distinctFraction, .nonNullFraction:
                return .statistic(statistic, column: try column().name, bounds: try bounds(.double))
            case .mean, .median, .std, .sum:
                return .statistic(statistic, column: try column(of: Self.numbers).name, bounds: try bounds(.double))
            }
        }
    }

    private mutating func compare(_ comparison: Expectation.Comparison) throws(NotTaken) -> Expectation.Rule {
        let left = try column("column_A")
        let right = try column("column_B")
        guard left.type == right.type || (Self.numbers.contains(left.type) && Self.numbers.contains(right.type)) else {
            throw NotTaken(reason: "'\(left.name)' and '\(right.name)' are of types that can not be compared")
        }
        return .compare(
            left: left.name, comparison: comparison, right: right.name,
            ignoring: try missing(default: "both_values_are_missing"))
    }

    private mutating func missing(default standard: String) throws(NotTaken) -> Expectation.Missing {
        switch try text("ignore_row_if", default: standard) {
        case "both_values_are_missing", "all_values_are_missing": return .all
        case "either_value_is_missing", "any_value_is_missing": return .any
        case "neither", "never": return .never
        case let other: throw NotTaken(reason: "'ignore_row_if: \(other)' is not known")
        }
    }

    private mutating func quantiles() throws(NotTaken) -> Expectation.Rule {
        let column = try column(of: Self.numbers).name
        guard try !flag("allow_relative_error") else {
            throw NotTaken(reason: "'allow_relative_error' asks for another interpolation")
        }
        let given = rest.removeValue(forKey: "quantile_ranges")
        let at = given?["quantiles"]?.array?.compactMap(\.double) ?? []
        let ends = given?["value_ranges"]?.array?.compactMap(\.array) ?? []
        guard !at.isEmpty, at.count == ends.count, ends.allSatisfy({ $0.count == 2 }), Set(at).count == at.count,
            at.allSatisfy({ (0...1).contains($0) })
        else { throw NotTaken(reason: "'quantile_ranges' needs quantiles and a range for each") }
        let ranges = zip(at, ends).map { at, ends in
            Expectation.QuantileRange(at: at, minimum: ends.first?.double, maximum: ends.last?.double)
        }
        return .quantile(column: column, ranges: ranges, nearest: true)
    }

    // MARK: Arguments

    private mutating func column(_ key: String = "column", of types: [ScalarType] = []) throws(NotTaken)
        -> TableDefinition.ColumnDefinition
    {
        try known(try text(key), of: types)
    }

    private func known(_ name: String, of types: [ScalarType]) throws(NotTaken) -> TableDefinition.ColumnDefinition {
        guard let column = columns.first(where: { $0.name == name }) else {
            throw NotTaken(reason: "the table has no column '\(name)'")
        }
        guard types.isEmpty || types.contains(column.type) else {
            throw NotTaken(reason: "it can not be told of '\(name)', which is \(column.type.rawValue)")
        }
        return column
    }

    private mutating func columnList(of types: [ScalarType] = []) throws(NotTaken) -> [String] {
        let names = try texts("column_list")
        guard !names.isEmpty else { throw NotTaken(reason: "'column_list' is empty") }
        for name in names { _ = try known(name, of: types) }
        return names
    }

    private mutating func text(_ key: String, default standard: String? = nil) throws(NotTaken) -> String {
        guard let value = rest.removeValue(forKey: key) else {
            guard let standard else { throw NotTaken(reason: "the argument '\(key)' is missing") }
            return standard
        }
        guard let text = value.string else { throw NotTaken(reason: "'\(key)' is no text") }
        return text
    }

    private mutating func texts(_ key: String) throws(NotTaken) -> [String] {
        guard let items = rest.removeValue(forKey: key)?.array else {
            throw NotTaken(reason: "'\(key)' is no list")
        }
        let texts = items.compactMap(\.string)
        guard texts.count == items.count else { throw NotTaken(reason: "'\(key)' is no list of texts") }
        return texts
    }

    private mutating func optionalNumber(_ key: String) throws(NotTaken) -> Double? {
        guard let value = rest.removeValue(forKey: key) else { return nil }
        guard let number = value.double else { throw NotTaken(reason: "'\(key)' is no number") }
        return number
    }

    private mutating func number(_ key: String) throws(NotTaken) -> Double {
        guard let number = try optionalNumber(key) else { throw NotTaken(reason: "the argument '\(key)' is missing") }
        return number
    }

    private mutating func flag(_ key: String, default standard: Bool = false) throws(NotTaken) -> Bool {
        guard let value = rest.removeValue(forKey: key) else { return standard }
        guard let flag = value.bool else { throw NotTaken(reason: "'\(key)' is neither true nor false") }
        return flag
    }

    private mutating func bounds(_ type: ScalarType) throws(NotTaken) -> ExpectationBounds {
        let bounds = ExpectationBounds(
            minimum: try end("min_value", type), maximum: try end("max_value", type),
            strictMinimum: try flag("strict_min"), strictMaximum: try flag("strict_max"))
        guard bounds.minimum != nil || bounds.maximum != nil else { throw NotTaken(reason: "it has no bound") }
        return bounds
    }

    private mutating func end(_ key: String, _ type: ScalarType) throws(NotTaken) -> ExpectationLiteral? {
        guard let value = rest.removeValue(forKey: key) else { return nil }
        return try literal(value, type, key)
    }

    private mutating func exactly() throws(NotTaken) -> ExpectationBounds {
        let value = try end("value", .integer)
        guard value != nil else { throw NotTaken(reason: "the argument 'value' is missing") }
        return ExpectationBounds(minimum: value, maximum: value)
    }

    private mutating func values(_ key: String, _ type: ScalarType) throws(NotTaken) -> [ExpectationLiteral] {
        guard let items = rest.removeValue(forKey: key)?.array else { throw NotTaken(reason: "'\(key)' is no list") }
        var values: [ExpectationLiteral] = []
        // Nulls are left out of the rule, so a null in the set says nothing.
        for item in items where item != .null { values.append(try literal(item, type, key)) }
        return values
    }

    private func literal(_ value: JSONValue, _ type: ScalarType, _ key: String) throws(NotTaken) -> ExpectationLiteral {
        let literal: ExpectationLiteral? =
            switch (value, type) {
            case (.integer(let whole), .integer), (.integer(let whole), .double), (.integer(let whole), .float):
                .integer(whole)
            case (.number(let number), .integer), (.number(let number), .double), (.number(let number), .float):
                number.isFinite ? .number(number) : nil
            case (.string(let text), .string), (.string(let text), .timestamp): ExpectationLiteral(text, of: type)
            case (.bool(let truth), .boolean): .truth(truth)
            default: nil
            }
        guard let literal else { throw NotTaken(reason: "'\(key)' has a value that is not of type \(type.rawValue)") }
        return literal
    }

    private mutating func pattern() throws(NotTaken) -> String {
        switch RegularExpression.fromPython(try text("regex")) {
        case .success(let pattern): return pattern
        case .failure(let problem):
            throw NotTaken(reason: "the pattern has \(problem.text), which RE2 can not do alike")
        }
    }

    /// Names of pandas, NumPy, Python and SQL.
    private func type(_ name: String) throws(NotTaken) -> ScalarType {
        switch name.lowercased() {
        case "int", "int64", "int32", "int16", "int8", "integer", "bigint", "long", "integertype", "longtype":
            return .integer
        case "float", "float64", "double", "double_precision", "doubletype": return .double
        case "float32", "real", "floattype": return .float
        case "str", "string", "object", "varchar", "text", "stringtype": return .string
        case "bool", "boolean", "booleantype": return .boolean
        case "timestamp", "datetime", "datetime64", "datetime64[ns]", "datetime64[us]", "timestamptype":
            return .timestamp
        default: throw NotTaken(reason: "the type '\(name)' is not known")
        }
    }
}
