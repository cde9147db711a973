import Basics

/// A suite of Great Expectations as JSON: the form of 1.x, and on reading that of 0.x too.
public struct GreatExpectationsSuite: Sendable, Equatable {
    public var name: String
    public var expectations: [Configuration]

    /// One expectation of a suite.
    public struct Configuration: Sendable, Equatable {
        /// Such as `expect_column_values_to_be_between`.
        public var type: String
        public var kwargs: [String: JSONValue]
        /// `critical`, `warning` or `info`.
        public var severity: String?
        public var meta: [String: JSONValue]

        public init(
            type: String, kwargs: [String: JSONValue], severity: String? = nil, meta: [String: JSONValue] = [:]
        ) {
            self.type = type
            self.kwargs = kwargs
            self.severity = severity
            self.meta = meta
        }
    }

    public init(name: String, expectations: [Configuration]) {
        self.name = name
        self.expectations = expectations
    }

    /// - Throws: ``DatasetsFailure/badSuite(_:)`` for a document that is no suite.
    public init(_ document: JSONValue) throws {
        guard let list = document["expectations"]?.array else {
            throw DatasetsFailure.badSuite("it has no list 'expectations'")
        }
        name = (document["name"] ?? document["expectation_suite_name"])?.string ?? "suite"
        expectations = try list.enumerated().map { index, item in
            guard let type = (item["type"] ?? item["expectation_type"])?.string else {
                throw DatasetsFailure.badSuite("expectation \(index + 1) has no 'type'")
            }
            return Configuration(
                type: type, kwargs: item["kwargs"]?.object ?? [:], severity: item["severity"]?.string,
                meta: item["meta"]?.object ?? [:])
        }
    }

    /// The suite as Great Expectations 1.x writes it.
    public var document: JSONValue {
        [
            "name": .string(name),
            "expectations": .array(
                expectations.map { expectation in
                    var members: [String: JSONValue] = [
                        "type": .string(expectation.type), "kwargs": .object(expectation.kwargs),
                        "meta": .object(expectation.meta),
                    ]
                    if let severity = expectation.severity { members["severity"] = .string(severity) }
                    return .object(members)
                }),
            "meta": [:],
        ]
    }
}

/// What came of translating a suite, either way.
public struct SuiteTranslation<Result: Sendable>: Sendable {
    public var result: Result
    /// What could not be taken over, each in one sentence.
    public var warnings: [String]
}
