import Basics

/// What one expectation found.
public struct ExpectationResult: Sendable, Codable, Equatable {
    public var name: String
    public var severity: Expectation.Severity
    /// The rule's key in YAML.
    public var rule: String
    public var success: Bool
    /// Rows checked.
    public var rows: Int64
    /// Rows that broke the rule: those that a quarantine leaves out. Of repeated rows the first one is not among them. For a
    /// rule about the whole table 1 where it is broken, else 0.
    public var failing: Int64
    /// The first row that broke it, as JSON.
    public var example: String?
    /// What is wrong, in one sentence; nil where the rule holds without exception.
    public var problem: String?
    public var result: Finding

    /// The measurements behind a verdict, in the words of Great Expectations.
    public struct Finding: Sendable, Codable, Equatable {
        public var elementCount: Int64?
        /// Rows left out of the rule: nulls, mostly.
        public var missingCount: Int64?
        /// Rows that break the rule; of repeated rows all.
        public var unexpectedCount: Int64?
        /// Of the rows that are not missing; 0 to 100, nil where there is none.
        public var unexpectedPercent: Double?
        /// The first ``ExpectationResult/examplesMax`` of them in the order of the rows: values of one column, lists of two,
        /// objects of more.
        public var partialUnexpectedList: [JSONValue]?
        /// Their positions in the file, counted from 0.
        public var partialUnexpectedIndexList: [Int64]?
        public var observedValue: JSONValue?

        enum CodingKeys: String, CodingKey {
            case elementCount = "element_count"
            case missingCount = "missing_count"
            case unexpectedCount = "unexpected_count"
            case unexpectedPercent = "unexpected_percent"
            case partialUnexpectedList = "partial_unexpected_list"
            case partialUnexpectedIndexList = "partial_unexpected_index_list"
            case observedValue = "observed_value"
        }

        public init() {}
    }

    /// How many rows that break a rule are told.
    public static let examplesMax = 20

    init(_ expectation: Expectation, rows: Int64) {
        name = expectation.name
        severity = expectation.severity
        rule = expectation.rule.key
        success = true
        self.rows = rows
        failing = 0
        result = Finding()
    }

    /// Results of versions that were published before all this was kept have the name, the counts and the example alone.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        severity = try container.decode(Expectation.Severity.self, forKey: .severity)
        rule = try container.decodeIfPresent(String.self, forKey: .rule) ?? ""
        rows = try container.decode(Int64.self, forKey: .rows)
        failing = try container.decode(Int64.self, forKey: .failing)
        success = try container.decodeIfPresent(Bool.self, forKey: .success) ?? (failing == 0)
        example = try container.decodeIfPresent(String.self, forKey: .example)
        problem = try container.decodeIfPresent(String.self, forKey: .problem)
        result = try container.decodeIfPresent(Finding.self, forKey: .result) ?? Finding()
    }

    /// Fills in the verdict on rows.
    mutating func judge(missing: Int64, unexpected: Int64, mostly: Double?) {
        let considered = rows - missing
        result.elementCount = rows
        result.missingCount = missing
        result.unexpectedCount = unexpected
        result.unexpectedPercent = considered > 0 ? Double(unexpected) / Double(considered) * 100 : nil
        // The quotient as Great Expectations forms it, so that shares on the boundary fall to the same side.
        success = considered == 0 || Double(considered - unexpected) / Double(considered) >= (mostly ?? 1)
    }

    /// The error of an ingest that this stops.
    func failure(_ table: String) -> DatasetsFailure {
        guard result.observedValue == nil, result.unexpectedCount != nil else {
            return .wholeExpectation(table: table, expectation: name, problem: problem ?? "it does not hold")
        }
        return .expectation(
            table: table, expectation: name, failing: Int(clamping: failing), of: Int(clamping: rows),
            example: example ?? problem ?? rule)
    }
}
