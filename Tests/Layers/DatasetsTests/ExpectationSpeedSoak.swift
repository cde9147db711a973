import Basics
import Columnar
import Configuration
import Datasets
import Foundation
import TestSupport
import Testing

/// How long twenty rules over a million rows take. Run alone, in a release build, with MODELWORKS_SOAK=1.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"))
struct ExpectationSpeedSoak {
    @Test func aMillionRowsByTwentyRules() async throws {
        let bench = try await ExpectationBench()
        let engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: bench.folder("scratch")))
        _ = try await engine.writeParquet(
            query: """
                SELECT range AS id, hash(range) % 1000 / 10.0 AS x, CAST(hash(range + 7) % 100000 AS DOUBLE) AS y,
                  CASE WHEN range % 50 = 0 THEN NULL ELSE 'K' || (hash(range + 3) % 5000) END AS code,
                  TIMESTAMP '2024-01-01' + INTERVAL (range) SECOND AS at, range % 3 = 0 AS flag
                FROM range(1000000)
                """, to: bench.folder("data/t.parquet"))
        let columns = [
            ("id", "integer"), ("x", "double"), ("y", "double"), ("code", "string"), ("at", "timestamp"),
            ("flag", "boolean"),
        ]
        func seconds(_ rules: String) async throws -> (wall: Double, processor: Double) {
            var table = try ExpectationBench.definition(columns, rules)
            table.origin = .files(FileOrigin(path: "t.parquet", format: .parquet))
            var best = (wall: Double.infinity, processor: Double.infinity)
            for _ in 0..<3 {
                let ticks = clock()
                let start = SystemTime.monotonicNanoseconds
                let report = try await bench.store.validate(table, from: bench.dataFolder)
                best.wall = min(best.wall, Double(SystemTime.monotonicNanoseconds - start) / 1e9)
                best.processor = min(best.processor, Double(clock() - ticks) / Double(CLOCKS_PER_SEC))
                #expect(report.rows == 1_000_000)
            }
            return best
        }
        let staging = try await seconds("")
        let whole = try await seconds(
            """
            expectations:
              - {name: r1, severity: warn, not_null: [id, x, y]}
              - {name: r2, severity: warn, not_null: [code]}
              - {name: r3, severity: warn, between: {column: x, min: 0, max: 100}}
              - {name: r4, severity: warn, between: {column: x, min: 1, max: 99}}
              - {name: r5, severity: warn, mostly: 0.5, between: {column: y, min: 0, max: 50000}}
              - {name: r6, severity: warn, in_set: {column: flag, values: [true, false]}}
              - {name: r7, severity: warn, matches: {column: code, pattern: '^K[0-9]+$'}}
              - {name: r8, severity: warn, not_matches: {column: code, pattern: '[xyz]'}}
              - {name: r9, severity: warn, length: {column: code, min: 2, max: 5}}
              - {name: r10, severity: warn, unique: [id]}
              - {name: r11, severity: warn, compare: {left: id, op: '>=', right: x}}
              - {name: r12, severity: warn, sql: "x + y >= 0"}
              - {name: r13, severity: warn, not_in_set: {column: code, values: [K1, K2, K3]}}
              - {name: r14, severity: warn, mean: {column: x, min: 0, max: 100}}
              - {name: r15, severity: warn, std: {column: y, min: 0}}
              - {name: r16, severity: warn, maximum: {column: y, max: 100000}}
              - {name: r17, severity: warn, row_count: {min: 1}}
              - {name: r18, severity: warn, null_fraction: {column: code, max: 0.05}}
              - {name: r19, severity: warn, freshness: {column: at, within: 1d}}
              - {name: r20, severity: warn, sum: {column: x, min: 0}}
            """)
        print("1,000,000 rows: staged in \(staging), with 20 rules \(whole)")
        for extra in [
            "unique: [id]", "unique: [code, x]", "median: {column: x, min: 0}",
            "distinct_count: {column: code, min: 1}",
            "quantile: {column: y, at: {0.5: [0, ~]}, interpolation: nearest}", "increasing: {column: at}",
            "matches: {column: code, pattern: '^K[0-9]+$'}", "not_null: [code]",
            "between: {column: x, min: 1, max: 99}",
        ] {
            let one = try await seconds("expectations:\n  - {name: a, severity: warn, \(extra)}\n")
            print("  alone \(extra): \(one)")
        }
        #expect(whole.processor - staging.processor < 3)
        await bench.close()
    }
}
