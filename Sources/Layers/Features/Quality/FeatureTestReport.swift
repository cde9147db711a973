import Basics
import Datasets

/// What feature tests found, and how much of the features they assert.
public struct FeatureTestReport: Sendable, Codable, Equatable {
    public var tests: [Outcome]
    public var coverage: Coverage

    public var passed: Bool { tests.allSatisfy { $0.problems.isEmpty } }

    /// One test.
    public struct Outcome: Sendable, Codable, Equatable {
        public var name: String
        /// As `view carrier_now`.
        public var target: String
        /// Values that were compared.
        public var values: Int
        /// What differs, or why it could not run; empty where it passed.
        public var problems: [String]
    }

    /// Which features have a value that some test expects.
    public struct Coverage: Sendable, Codable, Equatable {
        public var views: [ViewCoverage]
        public var features: Int { views.reduce(0) { $0 + $1.features } }
        public var asserted: Int { views.reduce(0) { $0 + $1.features - $1.missing.count } }
        /// From 0 to 1; 1 where there is nothing to assert.
        public var share: Double { features == 0 ? 1 : Double(asserted) / Double(features) }

        public init(views: [ViewCoverage]) { self.views = views }

        private enum Key: String, CodingKey { case views, features, asserted, share }

        public init(from decoder: any Decoder) throws {
            views = try decoder.container(keyedBy: Key.self).decode([ViewCoverage].self, forKey: .views)
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(views, forKey: .views)
            try container.encode(features, forKey: .features)
            try container.encode(asserted, forKey: .asserted)
            try container.encode(share, forKey: .share)
        }
    }

    /// One view or transform.
    public struct ViewCoverage: Sendable, Codable, Equatable {
        public var kind: String
        public var name: String
        public var features: Int
        /// Features that no test expects a value of.
        public var missing: [String]
    }

    /// The report as JUnit XML, the form that CI systems show.
    public var junit: String {
        var lines = [
            #"<?xml version="1.0" encoding="UTF-8"?>"#,
            #"<testsuites name="features" tests="\#(tests.count)" failures="\#(tests.count { !$0.problems.isEmpty })" errors="0">"#,
            #"  <testsuite name="features" tests="\#(tests.count)" failures="\#(tests.count { !$0.problems.isEmpty })" errors="0">"#,
        ]
        for test in tests {
            let start =
                #"    <testcase classname="\#(JUnitReport.escape(test.target))" name="\#(JUnitReport.escape(test.name))" time="0""#
            if let first = test.problems.first {
                lines += [
                    start + ">",
                    #"      <failure message="\#(JUnitReport.escape(first))" type="difference">\#(JUnitReport.escape(test.problems.joined(separator: "\n")))</failure>"#,
                    "    </testcase>",
                ]
            } else {
                lines.append(start + "/>")
            }
        }
        return (lines + ["  </testsuite>", "</testsuites>\n"]).joined(separator: "\n")
    }
}
