/// A statement about a table that is checked before anything may read it.
public struct Expectation: Sendable, Codable, Equatable {
    public var name: String
    public var severity: Severity
    public var rule: Rule

    /// What happens to a table in which rows break the rule.
    public enum Severity: String, Sendable, Codable, CaseIterable {
        /// The ingest stops before compute is spent; the last good version stays.
        case stop
        /// The rows are left out of the dataset version and kept aside with the reason.
        case quarantine
        /// The rows stay; the count is reported.
        case warn
    }

    public enum Rule: Sendable, Codable, Equatable {
        case notNull([String])
        case between(column: String, minimum: Double?, maximum: Double?)
        case inSet(column: String, values: [String])
        case matches(column: String, pattern: String)
        case unique([String])
        case rowCount(minimum: Int64?, maximum: Int64?)
        /// A boolean expression over the columns of one row; null counts as kept.
        case sql(String)
        case nullFraction(column: String, maximum: Double)
    }
}
