import Basics
import Configuration
import Datasets
import Testing

@Suite struct ExpectationConfigurationTests {
    /// What is wrong, where it is told (line and column), and what the message must say.
    @Test(arguments: [
        ("{name: a, severty: warn, not_null: [x]}", "9:15", "did you mean 'severity'?"),
        ("{name: a, not_nul: [x]}", "9:15", "did you mean 'not_null'?"),
        ("{name: a, not_null: [amuont]}", "9:26", "did you mean 'amount'?"),
        ("{name: a}", "9:5", "exactly one rule"),
        ("{name: a, not_null: [x], unique: [x]}", "9:5", "'a' has not_null and unique"),
        ("{name: a, between: {column: x, mni: 1}}", "9:36", "did you mean 'min'?"),
        ("{name: a, between: {column: x}}", "9:24", "needs 'min', 'max' or both"),
        ("{name: a, between: {column: x, min: many}}", "9:41", "no value of the type integer"),
        ("{name: a, between: {column: at, min: 5}}", "9:42", "no value of the type timestamp"),
        ("{name: a, matches: {column: x, pattern: a}}", "9:33", "needs a text, and 'x' is integer"),
        ("{name: a, matches: {column: code, pattern: '(?!a)'}}", "9:48", "a lookaround"),
        ("{name: a, matches: {column: code, pattern: 'a*+'}}", "9:48", "a possessive quantifier"),
        ("{name: a, severity: quarantine, row_count: {min: 1}}", "9:25", "no rows to quarantine"),
        ("{name: a, mostly: 0.9, mean: {column: x, min: 1}}", "9:23", "'mostly' means nothing here"),
        ("{name: a, mostly: 1.5, not_null: [x]}", "9:23", "must be a share"),
        ("{name: a, compare: {left: x, op: '>', right: code}}", "9:24", "can not be compared"),
        ("{name: a, compare: {left: x, op: '=>', right: amount}}", "9:38", "must be one of"),
        ("{name: a, quantile: {column: x, at: {1.5: [0, 1]}}}", "9:42", "'at' has entries"),
        ("{name: a, distribution: {column: x, psi: 0.2}}", "9:29", "exactly one of reference, profile"),
        ("{name: a, distribution: {column: x, reference: t, psi: 0.2}}", "9:52", "TABLE@VERSION"),
        ("{name: a, distribution: {column: x, reference: t@latest}}", "9:29", "exactly one of psi, ks"),
        ("{name: a, distribution: {column: code, reference: t@latest, ks: 0.2}}", "9:69", "'ks' needs a number"),
        ("{name: a, freshness: {column: x, within: 1h}}", "9:35", "needs a time"),
        ("{name: a, types: {x: whole}}", "9:26", "a type must be one of"),
        ("{name: a, columns: {exist: [x], set: [x]}}", "9:24", "exactly one of exist, set, ordered"),
    ])
    func whatIsWrongIsToldWithItsPlace(item: String, place: String, says: String) {
        let columns = [("x", "integer"), ("amount", "double"), ("code", "string"), ("at", "timestamp")]
        #expect {
            _ = try ExpectationBench.definition(columns, "expectations:\n  - \(item)\n")
        } throws: { error in
            let text = "\(error)"
            let found = text.contains("data/t.yaml:\(place): ") && text.contains(says)
            if !found { Issue.record("\(item): \(text)") }
            return true
        }
    }

    @Test func aNameStandsOnce() {
        #expect {
            _ = try ExpectationBench.definition(
                [("x", "integer")], "expectations: [{name: a, not_null: [x]}, {name: a, unique: [x]}]")
        } throws: { "\($0)".contains("two expectations are called 'a'") }
    }

    @Test func whatIsWrittenAsYAMLIsReadAsItWas() throws {
        let columns = [("x", "integer"), ("amount", "double"), ("code", "string"), ("at", "timestamp")]
        let table = try ExpectationBench.definition(
            columns,
            """
            expectations:
              - {name: "yes", severity: warn, mostly: 95%, is_null: [x]}
              - {name: "a: b # c", sql: "x > 1 -- \\"why\\"\\n"}
              - {name: c, query: "SELECT * FROM t WHERE x = 'é\\t'"}
              - {name: d, null_fraction: {column: x, max: 0.1}}
              - {name: e, freshness: {column: at, within: 2d}}
              - {name: f, distribution: {column: amount, reference: t@abc, ks: 0.1}}
              - {name: g, distribution: {column: code, profile: p.json, psi: 0.2}}
              - {name: h, std: {column: amount, min: 0.1, max: 1e300, strict_min: true}}
              - {name: i, maximum: {column: at, max: 2024-01-01T00:00:00Z}}
              - {name: j, quantile: {column: amount, at: {0.1: [~, 4], 0.9: [1, ~]}}}
              - {name: k, not_matches: {column: code, pattern: "\\\\d{3}[\\"']"}}
              - {name: l, decreasing: {column: x}}
              - {name: m, in_set: {column: code, values: ["no", "~", "", "a b", "\\u0001"]}}
            """)
        let again = try ExpectationBench.definition(columns, ExpectationYAML(table.expectations).text)
        #expect(again.expectations == table.expectations)
    }
}
