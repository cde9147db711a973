import Basics

/// A statement about a table that is checked before anything may read it.
public struct Expectation: Sendable, Codable, Equatable {
    public var name: String
    public var severity: Severity
    /// The share of the rows considered that has to keep the rule, 0 to 1; nil stands for all of them. For rules about
    /// rows alone.
    public var mostly: Double?
    public var rule: Rule

    public init(name: String, severity: Severity = .stop, mostly: Double? = nil, rule: Rule) {
        self.name = name
        self.severity = severity
        self.mostly = mostly
        self.rule = rule
    }

    /// What happens to a table in which the rule is broken.
    public enum Severity: String, Sendable, Codable, CaseIterable {
        /// The ingest stops before compute is spent; the last good version stays.
        case stop
        /// The rows are left out of the dataset version and kept aside with the reason.
        case quarantine
        /// The rows stay; the count is reported.
        case warn
    }

    /// What has to hold.
    public enum Rule: Sendable, Codable, Equatable {
        // About each row. Where nothing else is said, a null keeps the rule.
        case notNull([String])
        case null([String])
        case between(column: String, bounds: ExpectationBounds)
        case inSet(column: String, values: [ExpectationLiteral])
        case notInSet(column: String, values: [ExpectationLiteral])
        /// RE2 finds the pattern somewhere in the text.
        case matches(column: String, pattern: String)
        case notMatches(column: String, pattern: String)
        /// The number of Unicode code points of a text.
        case length(column: String, bounds: ExpectationBounds)
        /// No two rows have the same values. Where `nullsEqual` is false a row with a null equals no other; else nulls equal
        /// each other, and rows in which all the columns are null are left out.
        case unique(columns: [String], nullsEqual: Bool)
        /// Against the last row before it that has a value, in the order of the file.
        case increasing(column: String, strictly: Bool)
        case decreasing(column: String, strictly: Bool)
        case compare(left: String, comparison: Comparison, right: String, ignoring: Missing)
        case sumTo(columns: [String], total: Double, ignoring: Missing)
        /// A boolean expression over the columns of one row; null counts as kept.
        case sql(String)
        /// A query over the table, by its name, that gives the rows that break the rule.
        case query(String)

        // About the whole table.
        case rowCount(ExpectationBounds)
        case columns(Columns)
        case types([ColumnTypes])
        case nullFraction(column: String, maximum: Double)
        case statistic(Statistic, column: String, bounds: ExpectationBounds)
        case quantile(column: String, ranges: [QuantileRange], nearest: Bool)
        /// The newest moment of the column lies no more than this before the present.
        case freshness(column: String, withinSeconds: Int64)
        case distribution(column: String, reference: Reference, measure: Measure, maximum: Double)
    }

    /// How two columns are compared.
    public enum Comparison: String, Sendable, Codable, CaseIterable {
        case less = "<"
        case lessOrEqual = "<="
        case equal = "="
        case notEqual = "!="
        case greaterOrEqual = ">="
        case greater = ">"
    }

    /// Which rows a rule over several columns leaves out. In those that it does not, a null breaks the rule.
    public enum Missing: String, Sendable, Codable, CaseIterable {
        /// Rows in which any of the columns is null.
        case any
        /// Rows in which all of the columns are null.
        case all
        case never
    }

    /// Which columns the table has.
    public enum Columns: Sendable, Codable, Equatable {
        /// These, and perhaps others.
        case exist([String])
        /// These and no others, in any order.
        case set([String])
        /// These and no others, in this order.
        case ordered([String])
    }

    /// The types that one column may have.
    public struct ColumnTypes: Sendable, Codable, Equatable {
        public var column: String
        public var types: [ScalarType]
    }

    /// One number of a column; nulls are left out of all but the last.
    public enum Statistic: String, Sendable, Codable, CaseIterable {
        case mean
        case median
        case minimum
        case maximum
        /// Of a sample: divided by the count less one.
        case std
        case sum
        case distinctCount = "distinct_count"
        /// Distinct values divided by values.
        case distinctFraction = "distinct_fraction"
        /// Values divided by rows.
        case nonNullFraction = "non_null_fraction"
    }

    /// Where one quantile has to lie; ends closed.
    public struct QuantileRange: Sendable, Codable, Equatable {
        /// 0 to 1.
        public var at: Double
        public var minimum: Double?
        public var maximum: Double?
    }

    /// What a distribution is compared with.
    public enum Reference: Sendable, Codable, Equatable {
        /// A version of a table, by the beginning of its digest; nil for the newest one.
        case version(table: String, digest: String?)
        /// A file with a profile as JSON, relative to the data folder.
        case profile(String)
    }

    /// How far two distributions are apart.
    public enum Measure: String, Sendable, Codable, CaseIterable {
        /// Population stability index over ten bins of the reference.
        case psi
        /// The largest distance of the two distribution functions.
        case ks
    }
}

extension Expectation.Rule {
    /// Whether it is judged row by row, so that rows can be set aside and `mostly` means something.
    public var isAboutRows: Bool {
        switch self {
        case .rowCount, .columns, .types, .nullFraction, .statistic, .quantile, .freshness, .distribution: false
        default: true
        }
    }

    /// Its key in YAML.
    public var key: String {
        switch self {
        case .notNull: "not_null"
        case .null: "is_null"
        case .between: "between"
        case .inSet: "in_set"
        case .notInSet: "not_in_set"
        case .matches: "matches"
        case .notMatches: "not_matches"
        case .length: "length"
        case .unique: "unique"
        case .increasing: "increasing"
        case .decreasing: "decreasing"
        case .compare: "compare"
        case .sumTo: "sum_to"
        case .sql: "sql"
        case .query: "query"
        case .rowCount: "row_count"
        case .columns: "columns"
        case .types: "types"
        case .nullFraction: "null_fraction"
        case .statistic(let statistic, _, _): statistic.rawValue
        case .quantile: "quantile"
        case .freshness: "freshness"
        case .distribution: "distribution"
        }
    }

    /// The columns it names.
    public var columnNames: [String] {
        switch self {
        case .notNull(let columns), .null(let columns), .unique(let columns, _), .sumTo(let columns, _, _): columns
        case .between(let column, _), .inSet(let column, _), .notInSet(let column, _), .matches(let column, _),
            .notMatches(let column, _), .length(let column, _), .increasing(let column, _), .decreasing(let column, _),
            .nullFraction(let column, _), .statistic(_, let column, _), .quantile(let column, _, _),
            .freshness(let column, _), .distribution(let column, _, _, _):
            [column]
        case .compare(let left, _, let right, _): [left, right]
        case .types(let types): types.map(\.column)
        case .columns(.exist(let names)), .columns(.set(let names)), .columns(.ordered(let names)): names
        case .sql, .query, .rowCount: []
        }
    }
}
