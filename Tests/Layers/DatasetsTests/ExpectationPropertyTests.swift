import Basics
import Datasets
import TestSupport
import Testing

/// Random rows and bounds against a direct count.
@Suite struct ExpectationPropertyTests {
    private struct Row {
        var a: Int64?
        var b: Int64?
        var text: String?
    }

    @Test(arguments: 0..<8)
    func verdictsAreThoseOfACount(seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let rows = (0..<Int.random(in: 1...60, using: &random)).map { _ in
            Row(
                a: Int.random(in: 0..<5, using: &random) == 0 ? nil : Int64.random(in: 0..<20, using: &random),
                b: Int.random(in: 0..<5, using: &random) == 0 ? nil : Int64.random(in: 0..<20, using: &random),
                text: Int.random(in: 0..<5, using: &random) == 0
                    ? nil : String("aé'\n\"".shuffled(using: &random).prefix(Int.random(in: 0...4, using: &random))))
        }
        let low = Int64.random(in: 0..<10, using: &random)
        let high = low + Int64.random(in: 0..<10, using: &random)
        let mostly = Double(Int.random(in: 0...20, using: &random)) / 20
        let bench = try await ExpectationBench()
        let table = try bench.table(
            ["a": "integer", "b": "integer", "text": "string"],
            rows.map { row in
                [
                    row.a.map { .integer($0) } ?? .null, row.b.map { .integer($0) } ?? .null,
                    row.text.map { .string($0) } ?? .null,
                ]
            },
            """
            expectations:
              - {name: range, severity: quarantine, mostly: \(mostly), between: {column: a, min: \(low), max: \(high)}}
              - {name: open, severity: warn, mostly: \(mostly), between: {column: a, min: \(low), strict_min: true}}
              - {name: set, severity: warn, mostly: \(mostly), in_set: {column: b, values: [\(low), \(high), 3]}}
              - {name: order, severity: quarantine, mostly: \(mostly), compare: {left: a, op: "<", right: b}}
              - {name: once, severity: quarantine, mostly: \(mostly), unique: [a, b]}
              - {name: text, severity: warn, mostly: \(mostly), in_set: {column: text, values: ["a", "é'", "\\n"]}}
              - {name: short, severity: warn, mostly: \(mostly), length: {column: text, max: 2}}
              - {name: quote, severity: quarantine, mostly: \(mostly), not_matches: {column: text, pattern: "'"}}
              - {name: mean, severity: warn, mean: {column: a, min: \(low)}}
            """)
        let report = try await bench.store.validate(table, from: bench.dataFolder)
        func check(_ name: String, missing: (Row) -> Bool, breaks: (Row) -> Bool) {
            let considered = rows.filter { !missing($0) }
            let broken = considered.filter(breaks).count
            let holds = considered.isEmpty || Double(considered.count - broken) / Double(considered.count) >= mostly
            let result = report.results.first { $0.name == name }
            #expect(result?.result.unexpectedCount == Int64(broken), "\(name), seed \(seed)")
            #expect(result?.result.missingCount == Int64(rows.count - considered.count), "\(name), seed \(seed)")
            #expect(result?.success == holds, "\(name), seed \(seed)")
        }
        let outside = { (row: Row) in row.a.map { $0 < low || $0 > high } ?? false }
        let unordered = { (row: Row) in row.a.flatMap { a in row.b.map { a >= $0 } } ?? false }
        let quoted = { (row: Row) in row.text?.contains("'") ?? false }
        let noPair = { (row: Row) in row.a == nil || row.b == nil }
        check("range", missing: { $0.a == nil }, breaks: outside)
        check("open", missing: { $0.a == nil }, breaks: { ($0.a ?? 0) <= low })
        check("set", missing: { $0.b == nil }, breaks: { ![low, high, 3].contains($0.b ?? -1) })
        check("order", missing: noPair, breaks: unordered)
        check("text", missing: { $0.text == nil }, breaks: { !["a", "é'", "\n"].contains($0.text ?? "") })
        check("short", missing: { $0.text == nil }, breaks: { ($0.text?.unicodeScalars.count ?? 0) > 2 })
        check("quote", missing: { $0.text == nil }, breaks: quoted)
        let pairs = Dictionary(grouping: rows.filter { !noPair($0) }) { [$0.a ?? 0, $0.b ?? 0] }
        check("once", missing: noPair, breaks: { (pairs[[$0.a ?? 0, $0.b ?? 0]]?.count ?? 0) > 1 })
        let values = rows.compactMap(\.a)
        let mean = Double(values.reduce(0, +)) / Double(values.count)
        #expect(report.results.last?.success == (!values.isEmpty && mean >= Double(low)), "mean, seed \(seed)")

        // What an ingest leaves out: of repeated rows the first one stays.
        var seen: Set<[Int64]> = []
        var kept = 0
        for row in rows {
            let repeated = !noPair(row) && !seen.insert([row.a ?? 0, row.b ?? 0]).inserted
            if !outside(row), !unordered(row), !quoted(row), !repeated { kept += 1 }
        }
        let version = try await bench.store.ingest(table, from: bench.dataFolder, by: "test")
        #expect(version.rows == Int64(kept), "seed \(seed)")
        #expect(version.quarantined == Int64(rows.count - kept), "seed \(seed)")
        let quarantine = try await bench.store.quarantine(of: "t", limit: 1000)
        #expect(quarantine.rows.count == rows.count - kept)
        for row in quarantine.rows {
            let position = Int(row.position)
            #expect(row.reasons.contains("range") == outside(rows[position]), "seed \(seed)")
            #expect(row.reasons.contains("quote") == quoted(rows[position]), "seed \(seed)")
        }
        await bench.close()
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): equal seeds give equal rows.
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
