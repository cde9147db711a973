import Basics
import Datasets
import Testing

/// Against failure cases of Pandera for `in_range(0, 100)`, `isin`, `str_length`, `nullable` and `unique`, in
/// `Fixtures/pandera.json`.
@Suite struct PanderaTests {
    private static let checks = [
        "in_range(0, 100)": "range", "not_nullable": "known", "isin(['a', 'b'])": "kinds",
        "str_length(1, 2)": "short", "field_uniqueness": "once",
    ]

    @Test func theSameRowsFail() async throws {
        let bench = try await ExpectationBench()
        let document = try fixture("pandera.json")
        let columns = [("feature_x", "double"), ("kind", "string"), ("id", "integer")]
        let table = try ExpectationBench.definition(
            columns,
            """
            expectations:
              - {name: range, severity: warn, between: {column: feature_x, min: 0, max: 100}}
              - {name: known, severity: warn, not_null: [feature_x]}
              - {name: kinds, severity: warn, in_set: {column: kind, values: [a, b]}}
              - {name: short, severity: warn, length: {column: kind, min: 1, max: 2}}
              - {name: once, severity: warn, unique: [id]}
              - {name: dtypes, severity: stop, types: {feature_x: double, kind: string, id: integer}}
            """)
        var compared = 0
        for frame in document["frames"]?.array ?? [] {
            try bench.write(columns.map(\.0), frame["rows"]?.array?.compactMap(\.array) ?? [], "t")
            var wanted: [String: Set<Int64>] = [:]
            for failure in frame["failures"]?.array ?? [] {
                let name = try #require(failure["check"]?.string.flatMap { Self.checks[$0] })
                wanted[name, default: []].insert(try #require(failure["index"]?.integer))
            }
            let report = try await bench.store.validate(table, from: bench.dataFolder)
            for result in report.results {
                let found = Set(result.result.partialUnexpectedIndexList ?? [])
                #expect(found == wanted[result.name] ?? [], "\(result.name)")
                #expect(result.success == (wanted[result.name] == nil))
                compared += found.count
            }
        }
        #expect(compared > 60)
        await bench.close()
    }
}
