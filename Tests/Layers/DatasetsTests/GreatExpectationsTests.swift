import Basics
import Configuration
import Datasets
import Testing

/// Against answers of Great Expectations on pandas, in `Fixtures/great_expectations.json`.
@Suite struct GreatExpectationsTests {
    /// Cases that are refused with a reason, because RE2 can not give the same verdict.
    private static let refused = [#"[^\W\d]+$"#, "never"]

    @Test func everyCaseHasTheVerdictAndTheCountsOfGreatExpectations() async throws {
        let bench = try await ExpectationBench()
        let frames = try #require(try fixture("great_expectations.json")["frames"]?.array)
        var compared = 0
        var left = 0
        for frame in frames {
            let name = frame["name"]?.string ?? ""
            let columns = (frame["columns"]?.array ?? []).compactMap { pair -> (String, String)? in
                guard let column = pair.array?.first?.string, let type = pair.array?.last?.string else { return nil }
                return (column, type)
            }
            try bench.write(columns.map(\.0), frame["rows"]?.array?.compactMap(\.array) ?? [], "t")
            let cases = try #require(frame["cases"]?.array)
            var answers: [JSONValue] = []
            var expectations: [Datasets.Expectation] = []
            let plain = try ExpectationBench.definition(columns, "")
            for item in cases {
                let suite = try GreatExpectationsSuite(["name": "one", "expectations": [item]])
                let translation = suite.expectations(for: plain.columns, of: "t")
                guard var expectation = translation.result.first else {
                    let isKnown =
                        Self.refused.contains { translation.warnings.joined().contains($0) }
                        || item["kwargs"]?["regex"]?.string == Self.refused[0]
                    #expect(isKnown, "\(name): \(translation.warnings)")
                    left += 1
                    continue
                }
                expectation.name = "case_\(expectations.count)"
                expectations.append(expectation)
                answers.append(item)
            }
            // Through our YAML, so that what is written is what is judged.
            let table = try ExpectationBench.definition(columns, ExpectationYAML(expectations).text)
            #expect(table.expectations == expectations, "\(name)")
            let results = try await bench.store.validate(table, from: bench.dataFolder).results
            #expect(results.count == answers.count)
            for (result, item) in zip(results, answers) {
                compare(result, item, name)
                compared += 1
            }
        }
        #expect(compared > 450 && left < 10, "\(compared) compared, \(left) left out")
        await bench.close()
    }

    private func compare(_ result: ExpectationResult, _ item: JSONValue, _ frame: String) {
        let what = "\(frame): \(item["type"]?.string ?? "") \((try? JSON.string(item["kwargs"])) ?? "")"
        guard let answer = item["answer"] else { return }
        #expect(result.success == answer["success"]?.bool, "\(what): \(result)")
        if let count = answer["unexpected_count"]?.integer {
            #expect(result.result.unexpectedCount == count, "\(what)")
            #expect(result.result.elementCount == answer["element_count"]?.integer, "\(what)")
            if let missing = answer["missing_count"]?.integer {
                #expect(result.result.missingCount == missing, "\(what)")
            }
            #expect(near(result.result.unexpectedPercent, answer["unexpected_percent"]?.double), "\(what)")
            let told = answer["partial_unexpected_list"]?.array ?? []
            let ours = result.result.partialUnexpectedList ?? []
            #expect(ours.count == min(Int(count), 20), "\(what)")
            for (left, right) in zip(ours, told) { #expect(same(left, right), "\(what): \(left) and \(right)") }
        }
        if let observed = answer["observed_value"], !(result.rule == "types" || result.rule == "columns") {
            let ours = result.result.observedValue ?? .null
            #expect(same(ours, observed), "\(what): \(ours) and \(observed)")
        }
    }

    private func near(_ left: Double?, _ right: Double?) -> Bool {
        guard let left, let right else { return left == nil && right == nil }
        return abs(left - right) <= 1e-9 * max(1, abs(right))
    }

    private func same(_ left: JSONValue, _ right: JSONValue) -> Bool {
        if left.double != nil || right.double != nil { return near(left.double, right.double) }
        if let a = left.array, let b = right.array { return a.count == b.count && zip(a, b).allSatisfy(same) }
        if let a = left.object, let b = right.object {
            return a.keys.sorted() == b.keys.sorted() && a.allSatisfy { same($0.value, b[$0.key] ?? .null) }
        }
        return left == right
    }

    private static let columns = [
        ("id", "integer"), ("amount", "double"), ("code", "string"), ("at", "timestamp"), ("flag", "boolean"),
    ]

    @Test func whatIsExportedIsImportedAsItWas() throws {
        let table = try ExpectationBench.definition(
            Self.columns,
            """
            expectations:
              - {name: a, severity: quarantine, not_null: [id]}
              - {name: b, severity: warn, mostly: 0.5, between: {column: amount, min: 0, max: 2.5, strict_max: true}}
              - {name: c, in_set: {column: code, values: [x, "1", "true"]}}
              - {name: d, severity: quarantine, unique: {columns: [id, code], nulls: equal}}
              - {name: e, unique: [id, code]}
              - {name: f, quantile: {column: amount, at: {0.5: [1, ~]}, interpolation: nearest}}
              - {name: g, between: {column: at, min: 2024-01-01}}
              - {name: h, severity: warn, types: {flag: [boolean, integer]}}
              - {name: i, compare: {left: id, op: ">=", right: amount, ignore: all}}
              - {name: j, sum_to: {columns: [id, amount], total: 4, ignore: never}}
              - {name: k, columns: {ordered: [id, amount, code, at, flag]}}
              - {name: l, row_count: {min: 1}}
              - {name: m, distinct_fraction: {column: id, min: 0.5}}
              - {name: n, matches: {column: code, pattern: '^[A-Z]\\.(?:\\n?\\z)'}}
              - {name: o, length: {column: code, min: 1, max: 3}}
              - {name: p, increasing: {column: at, strictly: true}}
              - {name: q, not_in_set: {column: flag, values: [false]}}
            """)
        let export = GreatExpectationsSuite.exporting(table)
        #expect(export.warnings.isEmpty)
        let again = try GreatExpectationsSuite(JSON.decode(JSONValue.self, from: JSON.string(export.result.document)))
            .expectations(for: table.columns, of: "t")
        #expect(again.warnings.isEmpty)
        #expect(again.result == table.expectations)
    }

    @Test func theOldFormIsReadAndWhatIsNotKnownIsTold() throws {
        let table = try ExpectationBench.definition(Self.columns, "")
        let suite = try GreatExpectationsSuite([
            "expectation_suite_name": "old",
            "expectations": [
                [
                    "expectation_type": "expect_column_values_to_be_between",
                    "kwargs": ["column": "amount", "min_value": 0, "max_value": 100], "meta": [:],
                ],
                ["expectation_type": "expect_column_values_to_be_between", "kwargs": ["column": "amuont"]],
                ["expectation_type": "expect_the_unexpected", "kwargs": [:]],
                [
                    "expectation_type": "expect_column_values_to_match_regex",
                    "kwargs": ["column": "code", "regex": "(?=a)b"],
                ],
                [
                    "expectation_type": "expect_column_values_to_not_be_null",
                    "kwargs": ["column": "id", "row_condition": "id > 3", "condition_parser": "pandas"],
                ],
            ],
        ])
        let translation = suite.expectations(for: table.columns, of: "t")
        #expect(suite.name == "old")
        #expect(translation.result.map(\.name) == ["amount_between"])
        let warnings = translation.warnings
        #expect(warnings.count == 4)
        #expect(warnings[0].contains("no column 'amuont'"))
        #expect(warnings[1].contains("the type is not known"))
        #expect(warnings[2].contains("lookaround"))
        #expect(warnings[3].contains("'condition_parser' is not known"))
        #expect(throws: DatasetsFailure.self) { try GreatExpectationsSuite(["name": "x"]) }
        #expect(throws: DatasetsFailure.self) { try GreatExpectationsSuite(["expectations": [["kwargs": [:]]]]) }
    }

    /// Python's own verdicts, by hand: `bool(re.search(pattern, text))`.
    @Test(arguments: [
        (#"a\b"#, false), (#"(?<!a)b"#, false), (#"(a)\1"#, false), (#"(?P<x>a)(?P=x)"#, false), (#"a++"#, false),
        (#"(?>a)"#, false), (#"(?x) a"#, false), (#"a$b"#, false), (#"[\S]"#, false), (#"(a)?(?(1)b|c)"#, false),
        (#"\d+$"#, true), (#"[[]a+?"#, true), (#"[]+]+"#, true), (#"(?i:a)|b$"#, true), (#"\$a"#, true),
        (#"[$]"#, true),
    ])
    func patternsThatRE2CanNotDoAlikeAreRefused(pattern: String, taken: Bool) throws {
        let table = try ExpectationBench.definition(Self.columns, "")
        let suite = try GreatExpectationsSuite([
            "expectations": [
                [
                    "type": "expect_column_values_to_match_regex",
                    "kwargs": ["column": "code", "regex": .string(pattern)],
                ]
            ]
        ])
        let translation = suite.expectations(for: table.columns, of: "t")
        #expect(translation.result.isEmpty != taken, "\(translation)")
    }
}
