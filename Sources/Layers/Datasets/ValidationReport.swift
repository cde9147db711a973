import Basics

/// What the expectations of a table say about its rows.
public struct ValidationReport: Sendable, Codable, Equatable {
    public var table: String
    public var verdict: Verdict
    /// Whether the table may be published: no expectation of severity `stop` is broken.
    public var success: Bool
    public var rows: Int64
    public var statistics: Statistics
    public var results: [ExpectationResult]
    public var validated: Timestamp

    /// The worst that was found.
    public enum Verdict: String, Sendable, Codable { case pass, warn, stop }

    public struct Statistics: Sendable, Codable, Equatable {
        public var evaluated: Int
        public var successful: Int
        public var unsuccessful: Int
        /// 0 to 100; nil where nothing was evaluated.
        public var successPercent: Double?

        enum CodingKeys: String, CodingKey {
            case evaluated = "evaluated_expectations"
            case successful = "successful_expectations"
            case unsuccessful = "unsuccessful_expectations"
            case successPercent = "success_percent"
        }
    }

    public init(table: String, rows: Int64, results: [ExpectationResult], validated: Timestamp) {
        self.table = table
        self.rows = rows
        self.results = results
        self.validated = validated
        let broken = results.filter { !$0.success }
        verdict = broken.contains { $0.severity == .stop } ? .stop : broken.isEmpty ? .pass : .warn
        success = verdict != .stop
        statistics = Statistics(
            evaluated: results.count, successful: results.count - broken.count, unsuccessful: broken.count,
            successPercent: results.isEmpty ? nil : Double(results.count - broken.count) / Double(results.count) * 100)
    }
}
