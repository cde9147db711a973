import Basics
import Configuration
import Datasets
import Foundation
import Statistics
import TestSupport
import Testing

/// Each rule on rows of which the verdict is worked out by hand.
@Suite struct ExpectationRuleTests {
    private struct Case {
        var rule: String
        var unexpected: Int64
        var missing: Int64 = 0
        var positions: [Int64] = []
    }

    /// id, amount, code, other, at
    private let rows: [[JSONValue]] = [
        [1, 1.5, "ab", 1, "2024-01-01T00:00:00Z"],
        [2, .null, "abc", 2, "2024-01-02T00:00:00Z"],
        [2, 10, .null, .null, "2024-01-02T00:00:00Z"],
        [3, 0, "é", 5, .null],
        [5, -1, "AB", 4, "2024-01-01T12:00:00Z"],
        [5, 10, "ab", 4, "2024-01-05T00:00:00Z"],
    ]

    @Test func rulesAboutRowsFindTheRows() async throws {
        let cases: [Case] = [
            Case(rule: "not_null: [amount, code]", unexpected: 2, positions: [1, 2]),
            Case(rule: "is_null: [amount]", unexpected: 5, positions: [0, 2, 3, 4, 5]),
            Case(rule: "between: {column: amount, min: 0, max: 10}", unexpected: 1, missing: 1, positions: [4]),
            Case(
                rule: "between: {column: amount, min: 0, max: 10, strict_min: true, strict_max: true}", unexpected: 4,
                missing: 1, positions: [2, 3, 4, 5]),
            Case(rule: "between: {column: at, max: 2024-01-02}", unexpected: 1, missing: 1, positions: [5]),
            Case(rule: "between: {column: code, min: a}", unexpected: 1, missing: 1, positions: [4]),
            Case(rule: "in_set: {column: id, values: [1, 2]}", unexpected: 3, positions: [3, 4, 5]),
            Case(rule: "in_set: {column: amount, values: [1.5, 10, 0]}", unexpected: 1, missing: 1, positions: [4]),
            Case(rule: "in_set: {column: code, values: []}", unexpected: 5, missing: 1, positions: [0, 1, 3, 4, 5]),
            Case(rule: "not_in_set: {column: code, values: [ab]}", unexpected: 2, missing: 1, positions: [0, 5]),
            Case(rule: "matches: {column: code, pattern: b}", unexpected: 2, missing: 1, positions: [3, 4]),
            Case(rule: "not_matches: {column: code, pattern: '^a'}", unexpected: 3, missing: 1, positions: [0, 1, 5]),
            Case(rule: "length: {column: code, min: 2, max: 2}", unexpected: 2, missing: 1, positions: [1, 3]),
            Case(rule: "unique: [id]", unexpected: 4, positions: [1, 2, 4, 5]),
            Case(rule: "unique: [code]", unexpected: 2, missing: 1, positions: [0, 5]),
            Case(rule: "unique: [id, other]", unexpected: 2, missing: 1, positions: [4, 5]),
            Case(rule: "unique: {columns: [id, other], nulls: equal}", unexpected: 2, positions: [4, 5]),
            Case(rule: "increasing: {column: id}", unexpected: 0),
            Case(rule: "increasing: {column: id, strictly: true}", unexpected: 2, positions: [2, 5]),
            Case(rule: "increasing: {column: at}", unexpected: 1, missing: 1, positions: [4]),
            Case(rule: "decreasing: {column: amount}", unexpected: 2, missing: 1, positions: [2, 5]),
            Case(rule: "compare: {left: id, op: '<=', right: other}", unexpected: 2, missing: 1, positions: [4, 5]),
            Case(rule: "compare: {left: id, op: '!=', right: other}", unexpected: 2, missing: 1, positions: [0, 1]),
            Case(
                rule: "compare: {left: id, op: '<', right: other, ignore: never}", unexpected: 5,
                positions: [0, 1, 2, 4, 5]),
            Case(rule: "sum_to: {columns: [id, other], total: 9}", unexpected: 3, missing: 1, positions: [0, 1, 3]),
            Case(rule: #"sql: "amount >= 0 -- why""#, unexpected: 1, positions: [4]),
            Case(rule: "sql: 'id >= coalesce(lag(id) OVER (ORDER BY __row), 0)'", unexpected: 0),
            Case(rule: "query: 'SELECT * FROM t WHERE amount > 5;'", unexpected: 2, positions: [2, 5]),
            Case(rule: "query: WITH x AS (SELECT id FROM t WHERE id > 3) SELECT * FROM x", unexpected: 2),
        ]
        let bench = try await ExpectationBench()
        for item in cases {
            let found = try await bench.judge(
                ["id": "integer", "amount": "double", "code": "string", "other": "integer", "at": "timestamp"], rows,
                item.rule)
            let result = try #require(found)
            #expect(result.result.unexpectedCount == item.unexpected, "\(item.rule): \(result)")
            #expect(result.result.missingCount == item.missing, "\(item.rule)")
            #expect(result.result.partialUnexpectedIndexList ?? [] == item.positions, "\(item.rule)")
            #expect(result.success == (item.unexpected == 0), "\(item.rule)")
            #expect(result.rows == 6 && result.result.elementCount == 6)
            #expect((result.problem == nil) == result.success)
        }
        await bench.close()
    }

    /// Observed values by hand: amounts -1, 0, 1.5, 10, 10.
    @Test func rulesAboutTheTableTellWhatTheySaw() async throws {
        let cases: [(rule: String, observed: JSONValue, holds: Bool)] = [
            ("row_count: {min: 6, max: 6}", 6, true),
            ("row_count: {min: 6, strict_min: true}", 6, false),
            ("null_fraction: {column: amount, max: 0.1}", .number(1.0 / 6), false),
            ("null_fraction: {column: amount, max: 20%}", .number(1.0 / 6), true),
            ("mean: {column: amount, min: 4, max: 5}", 4.1, true),
            ("median: {column: amount, max: 1.5, strict_max: true}", 1.5, false),
            // The squares of the distances from 4.1 sum to 119.2.
            ("std: {column: amount, max: 5.4}", .number((119.2 / 4).squareRoot()), false),
            ("sum: {column: amount, min: 20.5}", 20.5, true),
            ("minimum: {column: amount, min: -1}", -1.0, true),
            ("maximum: {column: id, max: 4}", 5, false),
            ("maximum: {column: at, max: 2024-01-05}", "2024-01-05T00:00:00Z", true),
            ("minimum: {column: code, min: AC}", "AB", false),
            ("distinct_count: {column: code, min: 4, max: 4}", 4, true),
            ("distinct_fraction: {column: amount, min: 0.8}", 0.8, true),
            ("non_null_fraction: {column: code, min: 0.9}", .number(5.0 / 6), false),
            (
                "quantile: {column: amount, at: {0.25: [0, 0], 0.6: [~, 4]}}",
                ["quantiles": [0.25, 0.6], "values": [0.0, 4.9]], false
            ),
            (
                "quantile: {column: amount, at: {0.6: [1, 2]}, interpolation: nearest}",
                ["quantiles": [0.6], "values": [1.5]], true
            ),
            ("freshness: {column: at, within: 24h}", "2024-01-05T00:00:00Z", true),
            ("freshness: {column: at, within: 23h}", "2024-01-05T00:00:00Z", false),
            ("columns: {exist: [id, at]}", ["id", "amount", "code", "other", "at"], true),
            ("columns: {set: [at, id, code, amount, other]}", ["id", "amount", "code", "other", "at"], true),
            ("columns: {ordered: [at, id, code, amount, other]}", ["id", "amount", "code", "other", "at"], false),
            ("types: {id: [integer, double], code: string}", ["id": "BIGINT", "code": "VARCHAR"], true),
            ("types: {id: string}", ["id": "BIGINT"], false),
        ]
        let now = try #require(Timestamp("2024-01-06"))
        let bench = try await ExpectationBench(now: now)
        for item in cases {
            let found = try await bench.judge(
                ["id": "integer", "amount": "double", "code": "string", "other": "integer", "at": "timestamp"], rows,
                item.rule)
            let result = try #require(found)
            let observed = try #require(result.result.observedValue)
            if let wanted = item.observed.double {
                #expect(abs((observed.double ?? .nan) - wanted) < 1e-12, "\(item.rule): \(observed)")
            } else if let wanted = item.observed["values"]?.array {
                let seen = observed["values"]?.array ?? []
                #expect(seen.count == wanted.count, "\(item.rule)")
                for (left, right) in zip(seen, wanted) {
                    #expect(abs((left.double ?? .nan) - (right.double ?? 0)) < 1e-12, "\(item.rule): \(observed)")
                }
            } else {
                #expect(observed == item.observed, "\(item.rule)")
            }
            #expect(result.success == item.holds, "\(item.rule): \(result)")
            #expect(result.failing == (item.holds ? 0 : 1))
        }
        await bench.close()
    }

    @Test func mostlyIsTheShareOfTheRowsThatAreNotNull() async throws {
        let bench = try await ExpectationBench()
        // Nine values, one of which is bad.
        let rows: [[JSONValue]] = [[.null]] + (0..<9).map { [.integer(Int64($0))] }
        for (mostly, holds) in [(0.88, true), (0.8889, false), (1.0, false), (0.0, true)] {
            let result = try await bench.judge(
                ["x": "integer"], rows, "between: {column: x, min: 1}", mostly: mostly)
            #expect(result?.success == holds, "\(mostly)")
            #expect(result?.problem != nil, "what broke the rule is told all the same")
        }
        await bench.close()
    }

    @Test func anEmptyTableKeepsRulesAboutRowsAndBreaksThoseThatNeedAValue() async throws {
        let bench = try await ExpectationBench()
        for (rule, holds) in [
            ("not_null: [x]", true), ("unique: [x]", true), ("between: {column: x, min: 1}", true),
            ("mean: {column: x, min: 0}", false), ("sum: {column: x, min: 0}", true), ("row_count: {min: 1}", false),
            ("null_fraction: {column: x, max: 0}", true), ("query: SELECT * FROM t", true),
        ] {
            let table = try bench.table(["x": "double"], [[.null]], "expectations:\n  - {name: a, \(rule)}\n")
            try bench.folder.write("", to: "data/t.json")
            let report = try await bench.store.validate(table, from: bench.dataFolder)
            #expect(report.rows == 0)
            #expect(report.results.first?.success == holds, "\(rule)")
        }
        await bench.close()
    }

    @Test func notANumberCountsAsNull() async throws {
        let bench = try await ExpectationBench()
        try bench.folder.write("x\n1\nnan\n3\n", to: "data/t.csv")
        var table = try ExpectationBench.definition(
            [("x", "double")],
            """
            expectations:
              - {name: a, severity: warn, not_null: [x]}
              - {name: b, severity: warn, mean: {column: x, min: 2, max: 2}}
              - {name: c, severity: warn, between: {column: x, max: 3}}
            """)
        table.origin = .files(FileOrigin(path: "t.csv", format: .csv))
        let report = try await bench.store.validate(table, from: bench.dataFolder)
        #expect(report.results.map(\.success) == [false, true, true])
        await bench.close()
    }

    @Test func aRuleThatTheEngineRefusesIsNamed() async throws {
        let bench = try await ExpectationBench()
        for rule in [
            "sql: nowhere > 1", "sql: 'x > )'", "sql: CAST(code AS BIGINT) > 1", "query: SELECT * FROM elsewhere",
            "matches: {column: code, pattern: 'a{2000}'}",
        ] {
            let table = try bench.table(
                ["x": "integer", "code": "string"], [[1, "a"]],
                "expectations:\n  - {name: good, not_null: [x]}\n  - {name: culprit, \(rule)}\n")
            await #expect {
                _ = try await bench.store.validate(table, from: bench.dataFolder)
            } throws: { error in
                guard case DatasetsFailure.badExpectation(_, "culprit", _, _) = error else {
                    Issue.record("\(rule): \(error)")
                    return false
                }
                return true
            }
        }
        await bench.close()
    }

    @Test func aDistributionIsComparedWithAVersionOrAProfile() async throws {
        let bench = try await ExpectationBench()
        let reference = (0..<100).map { Double($0) }
        var table = try bench.table(
            ["x": "double", "kind": "string"],
            reference.map { [.number($0), .string($0 < 50 ? "a" : "b")] }, "", name: "t")
        let first = try await bench.store.ingest(table, from: bench.dataFolder, by: "test")
        try bench.folder.write(
            try JSON.string(try #require(NumericProfile(reference))), to: "data/profile.json")
        // Half of the values have moved up by 50.
        let moved = reference.map { $0 < 50 ? $0 : $0 + 50 }
        try bench.write(["x", "kind"], moved.map { [.number($0), "a"] }, "t")
        let digest = first.digest.description.prefix(12)
        let rules = [
            "ks_version: {reference: t@\(digest), ks: 0.5}", "ks_latest: {reference: t@latest, ks: 0.49}",
            "ks_profile: {profile: profile.json, ks: 0.51}", "psi_version: {reference: t@latest, psi: 0.1}",
            "psi_profile: {profile: profile.json, psi: 9}",
        ].map { rule in
            rule.replacing(": {", with: ", severity: warn, distribution: {column: x, ", maxReplacements: 1)
        }
        table.expectations =
            try ExpectationBench.definition(
                [("x", "double"), ("kind", "string")],
                "expectations:\n" + rules.map { "  - {name: \($0)}\n" }.joined()
                    + "  - {name: kinds, severity: warn, distribution: {column: kind, reference: t@latest, psi: 0.2}}\n"
            ).expectations
        let results = try await bench.store.validate(table, from: bench.dataFolder).results
        // Between 49 and 100 the new sample has half of its values and the old one gets to all of them: 0.5.
        #expect(results.prefix(2).allSatisfy { $0.result.observedValue?.double == 0.5 }, "\(results.prefix(2))")
        #expect(results.map(\.success) == [true, false, true, false, true, false], "\(results)")
        let psi = NumericProfile(reference)?.populationStability(of: moved)
        #expect(results[3].result.observedValue?.double == psi)
        table.expectations[0].rule = .distribution(
            column: "x", reference: .version(table: "t", digest: "ffff"), measure: .ks, maximum: 1)
        await #expect { _ = try await bench.store.validate(table, from: bench.dataFolder) } throws: { error in
            "\(error)".contains("no dataset version 't@ffff'")
        }
        await bench.close()
    }
}
