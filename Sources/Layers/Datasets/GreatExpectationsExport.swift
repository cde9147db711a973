import Basics
import Columnar

extension GreatExpectationsSuite {
    /// A table's expectations as a suite of Great Expectations 1.x, with a warning for each that it has no equal of.
    ///
    /// What it has no word for, the severity `quarantine` and our name, is kept under `meta` and read back from there.
    public static func exporting(_ table: TableDefinition) -> SuiteTranslation<GreatExpectationsSuite> {
        var configurations: [Configuration] = []
        var warnings: [String] = []
        for expectation in table.expectations {
            switch translate(expectation.rule, table) {
            case .success(let parts):
                for (type, kwargs) in parts {
                    var kwargs = kwargs
                    if let mostly = expectation.mostly { kwargs["mostly"] = .number(mostly) }
                    configurations.append(
                        Configuration(
                            type: type, kwargs: kwargs,
                            severity: expectation.severity == .stop ? "critical" : "warning",
                            meta: [
                                "modelworks": [
                                    "name": .string(expectation.name),
                                    "severity": .string(expectation.severity.rawValue),
                                ]
                            ]))
                }
            case .failure(let problem): warnings.append("\(expectation.name): \(problem.text)")
            }
        }
        return SuiteTranslation(
            result: GreatExpectationsSuite(name: table.name, expectations: configurations), warnings: warnings)
    }

    private typealias Part = (type: String, kwargs: [String: JSONValue])

    private static func translate(_ rule: Expectation.Rule, _ table: TableDefinition)
        -> Result<[Part], RegularExpression.Problem>
    {
        func one(_ type: String, _ kwargs: [String: JSONValue]) -> Result<[Part], RegularExpression.Problem> {
            .success([("expect_\(type)", kwargs)])
        }
        func on(_ column: String, _ kwargs: [String: JSONValue] = [:]) -> [String: JSONValue] {
            kwargs.merging(["column": .string(column)]) { first, _ in first }
        }
        func texts(_ items: [String]) -> JSONValue { .array(items.map { .string($0) }) }
        func regex(_ type: String, _ column: String, _ pattern: String) -> Result<[Part], RegularExpression.Problem> {
            switch RegularExpression.toPython(pattern) {
            case .success(let python): one(type, on(column, ["regex": .string(python)]))
            case .failure(let problem): .failure(.init(text: "the pattern has \(problem.text)"))
            }
        }
        switch rule {
        case .notNull(let columns): return .success(columns.map { ("expect_column_values_to_not_be_null", on($0)) })
        case .null(let columns): return .success(columns.map { ("expect_column_values_to_be_null", on($0)) })
        case .between(let column, let bounds): return one("column_values_to_be_between", on(column, bounds.kwargs))
        case .inSet(let column, let values):
            return one("column_values_to_be_in_set", on(column, ["value_set": .array(values.map(\.json))]))
        case .notInSet(let column, let values):
            return one("column_values_to_not_be_in_set", on(column, ["value_set": .array(values.map(\.json))]))
        case .matches(let column, let pattern): return regex("column_values_to_match_regex", column, pattern)
        case .notMatches(let column, let pattern): return regex("column_values_to_not_match_regex", column, pattern)
        case .length(let column, let bounds):
            return one("column_value_lengths_to_be_between", on(column, bounds.kwargs))
        case .unique(let columns, let nullsEqual):
            if columns.count == 1, let column = columns.first { return one("column_values_to_be_unique", on(column)) }
            let ignored = nullsEqual ? "all_values_are_missing" : "any_value_is_missing"
            return one(
                "compound_columns_to_be_unique", ["column_list": texts(columns), "ignore_row_if": .string(ignored)])
        case .increasing(let column, let strictly):
            return one("column_values_to_be_increasing", on(column, strictly ? ["strictly": true] : [:]))
        case .decreasing(let column, let strictly):
            return one("column_values_to_be_decreasing", on(column, strictly ? ["strictly": true] : [:]))
        case .compare(let left, let comparison, let right, let ignoring):
            return compare(left, comparison, right, ignoring)
        case .sumTo(let columns, let total, let ignoring):
            return one(
                "multicolumn_sum_to_equal",
                [
                    "column_list": texts(columns), "sum_total": .number(total),
                    "ignore_row_if": .string(ignoring.columnsWord),
                ])
        case .sql(let expression):
            let query = "SELECT * FROM {batch} WHERE NOT (\(expression))"
            return .success([("unexpected_rows_expectation", ["unexpected_rows_query": .string(query)])])
        case .query(let query):
            let name = SQLText.identifier(table.name)
            guard query.contains(name) else {
                return .failure(.init(text: "its query does not name the table as \(name)"))
            }
            let text = query.replacing(name, with: "{batch}")
            return .success([("unexpected_rows_expectation", ["unexpected_rows_query": .string(text)])])
        default: return whole(rule)
        }
    }

    private static func compare(
        _ left: String, _ comparison: Expectation.Comparison, _ right: String, _ ignoring: Expectation.Missing
    ) -> Result<[Part], RegularExpression.Problem> {
        let ignored = JSONValue.string(ignoring.pairWord)
        func greater(_ a: String, _ b: String, orEqual: Bool) -> Result<[Part], RegularExpression.Problem> {
            .success([
                (
                    "expect_column_pair_values_a_to_be_greater_than_b",
                    [
                        "column_A": .string(a), "column_B": .string(b), "or_equal": .bool(orEqual),
                        "ignore_row_if": ignored,
                    ]
                )
            ])
        }
        switch comparison {
        case .greater: return greater(left, right, orEqual: false)
        case .greaterOrEqual: return greater(left, right, orEqual: true)
        case .less: return greater(right, left, orEqual: false)
        case .lessOrEqual: return greater(right, left, orEqual: true)
        case .equal:
            return .success([
                (
                    "expect_column_pair_values_to_be_equal",
                    ["column_A": .string(left), "column_B": .string(right), "ignore_row_if": ignored]
                )
            ])
        case .notEqual: return .failure(.init(text: "there is no expectation that two columns differ"))
        }
    }

    private static func whole(_ rule: Expectation.Rule) -> Result<[Part], RegularExpression.Problem> {
        func one(_ type: String, _ kwargs: [String: JSONValue]) -> Result<[Part], RegularExpression.Problem> {
            .success([("expect_\(type)", kwargs)])
        }
        func texts(_ items: [String]) -> JSONValue { .array(items.map { .string($0) }) }
        switch rule {
        case .rowCount(let bounds): return one("table_row_count_to_be_between", bounds.kwargs)
        case .columns(.exist(let names)):
            return .success(names.map { ("expect_column_to_exist", ["column": .string($0)]) })
        case .columns(.set(let names)):
            return one("table_columns_to_match_set", ["column_set": texts(names), "exact_match": true])
        case .columns(.ordered(let names)):
            return one("table_columns_to_match_ordered_list", ["column_list": texts(names)])
        case .types(let types):
            return .success(
                types.map { column in
                    (
                        "expect_column_values_to_be_in_type_list",
                        ["column": .string(column.column), "type_list": texts(column.types.map(\.pandasName))]
                    )
                })
        case .nullFraction(let column, let maximum):
            return one(
                "column_proportion_of_non_null_values_to_be_between",
                ["column": .string(column), "min_value": .number(1 - maximum)])
        case .statistic(let statistic, let column, let bounds):
            guard let type = SuiteTypes.name(of: statistic) else {
                return .failure(.init(text: "there is no expectation of the \(statistic.rawValue)"))
            }
            return .success([(type, bounds.kwargs.merging(["column": .string(column)]) { first, _ in first })])
        case .quantile(let column, let ranges, let nearest):
            guard nearest else {
                return .failure(.init(text: "a quantile is told by another interpolation; 'nearest' is taken over"))
            }
            func end(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
            return one(
                "column_quantile_values_to_be_between",
                [
                    "column": .string(column),
                    "quantile_ranges": [
                        "quantiles": .array(ranges.map { .number($0.at) }),
                        "value_ranges": .array(ranges.map { [end($0.minimum), end($0.maximum)] }),
                    ],
                ])
        default: return .failure(.init(text: "there is no expectation of the kind '\(rule.key)'"))
        }
    }
}

/// The types that are told by one statistic.
enum SuiteTypes {
    static func name(of statistic: Expectation.Statistic) -> String? {
        statistics.first { $0.value == statistic }?.key
    }

    static let statistics: [String: Expectation.Statistic] = [
        "expect_column_mean_to_be_between": .mean, "expect_column_median_to_be_between": .median,
        "expect_column_min_to_be_between": .minimum, "expect_column_max_to_be_between": .maximum,
        "expect_column_stdev_to_be_between": .std, "expect_column_sum_to_be_between": .sum,
        "expect_column_unique_value_count_to_be_between": .distinctCount,
        "expect_column_proportion_of_unique_values_to_be_between": .distinctFraction,
        "expect_column_proportion_of_non_null_values_to_be_between": .nonNullFraction,
    ]
}

extension ExpectationBounds {
    fileprivate var kwargs: [String: JSONValue] {
        var kwargs: [String: JSONValue] = [:]
        kwargs["min_value"] = minimum?.json
        kwargs["max_value"] = maximum?.json
        if strictMinimum { kwargs["strict_min"] = true }
        if strictMaximum { kwargs["strict_max"] = true }
        return kwargs
    }
}

extension ExpectationLiteral {
    var json: JSONValue {
        switch self {
        case .integer(let value): .integer(value)
        case .number(let value): .number(value)
        case .text(let value): .string(value)
        case .moment(let value): .string(value.description)
        case .truth(let value): .bool(value)
        }
    }
}

extension Expectation.Missing {
    fileprivate var pairWord: String {
        switch self {
        case .any: "either_value_is_missing"
        case .all: "both_values_are_missing"
        case .never: "neither"
        }
    }

    fileprivate var columnsWord: String {
        switch self {
        case .any: "any_value_is_missing"
        case .all: "all_values_are_missing"
        case .never: "never"
        }
    }
}

extension ScalarType {
    fileprivate var pandasName: String {
        switch self {
        case .integer: "int64"
        case .double: "float64"
        case .float: "float32"
        case .string: "str"
        case .boolean: "bool"
        case .timestamp: "datetime64[us]"
        }
    }
}
