import Basics
import Datasets
import Foundation
import Testing

@Suite struct ValidationTests {
    private let expectations = """
        expectations:
          - {name: known, severity: quarantine, not_null: [amount]}
          - {name: positive, severity: quarantine, between: {column: amount, min: 0}}
          - {name: once, severity: quarantine, unique: [shop, day]}
          - {name: 'short <"&''>', severity: warn, length: {column: shop, max: 1}}
          - {name: enough, severity: stop, row_count: {min: 3}}
          - {name: complete, severity: stop, mostly: 0.5, not_null: [day]}
        """

    private func table(_ bench: ExpectationBench, _ rows: [[JSONValue]]) throws -> TableDefinition {
        try bench.table(["shop": "string", "day": "integer", "amount": "double"], rows, expectations)
    }

    private let rows: [[JSONValue]] = [
        ["a", 1, 5], ["a", 1, -7], ["b\u{1}<", 2, .null], ["a", 1, 3], ["c", .null, 4],
    ]

    @Test func aReportCountsAndPublishesNothing() async throws {
        let bench = try await ExpectationBench()
        let report = try await bench.store.validate(try table(bench, rows), from: bench.dataFolder)
        #expect(report.verdict == .warn && report.success && report.rows == 5)
        #expect(report.statistics.evaluated == 6 && report.statistics.successful == 2)
        #expect(report.results.map(\.success) == [false, false, false, false, true, true])
        let once = report.results[2]
        #expect(once.failing == 2, "the first of three rows stays")
        #expect(once.result.unexpectedCount == 3, "all three are told")
        #expect(once.result.unexpectedPercent == 75)
        #expect(once.example == #"{"shop":"a","day":1,"amount":-7.0}"#)
        #expect(try await bench.store.versions(of: "t").isEmpty)
        let again = try JSON.decode(ValidationReport.self, from: try JSON.string(report))
        #expect(again == report)
        let document = try JSON.value(report)
        #expect(document["results"]?.array?.first?["result"]?["element_count"] == 5)
        await bench.close()
    }

    @Test func aStopKeepsAnIngestFromPublishing() async throws {
        let bench = try await ExpectationBench()
        let table = try table(bench, Array(rows.prefix(2)))
        let report = try await bench.store.validate(table, from: bench.dataFolder)
        #expect(report.verdict == .stop && !report.success)
        await #expect {
            _ = try await bench.store.ingest(table, from: bench.dataFolder, by: "test")
        } throws: { error in
            "\(error)".contains("t fails the expectation 'enough': the table is 2 and should be at least 3 rows")
        }
        #expect(try await bench.store.versions(of: "t").isEmpty)
        await bench.close()
    }

    @Test func theQuarantineTellsRowsReasonsAndCounts() async throws {
        let bench = try await ExpectationBench()
        let table = try table(bench, rows)
        await #expect(throws: DatasetsFailure.self) { try await bench.store.quarantine(of: "t") }
        let version = try await bench.store.ingest(table, from: bench.dataFolder, by: "test")
        #expect(version.rows == 2 && version.quarantined == 3)
        let found = try await bench.store.quarantine(of: "t")
        #expect(found.quarantined == 3 && found.version == version.digest)
        #expect(found.reasons.map { "\($0.expectation) \($0.rows)" } == ["once 2", "known 1", "positive 1"])
        #expect(found.rows.map(\.position) == [1, 2, 3])
        #expect(found.rows.map(\.reasons) == [["once", "positive"], ["known"], ["once"]])
        #expect(found.rows.first?.values == ["shop": "a", "day": 1, "amount": -7])
        #expect(try await bench.store.quarantine(of: "t", limit: 1).rows.count == 1)
        #expect(try await bench.store.quarantine(of: "t", reason: "known").rows.map(\.position) == [2])
        await bench.close()
    }

    @Test func aQueryQuarantinesOnlyRowsThatItNames() async throws {
        let bench = try await ExpectationBench()
        func table(_ query: String) throws -> TableDefinition {
            try bench.table(
                ["x": "integer"], [[1], [2], [3]],
                "expectations:\n  - {name: q, severity: quarantine, query: '\(query)'}\n")
        }
        let version = try await bench.store.ingest(
            try table("SELECT a.* FROM t AS a JOIN t AS b ON a.x = b.x + 1"), from: bench.dataFolder, by: "test")
        #expect(version.rows == 1 && version.quarantined == 2)
        await #expect {
            _ = try await bench.store.ingest(try table("SELECT x FROM t"), from: bench.dataFolder, by: "test")
        } throws: { "\($0)".contains("does not tell which rows to quarantine") }
        await bench.close()
    }

    @Test func junitIsWellFormedAndFailsOnStopsAlone() async throws {
        let bench = try await ExpectationBench()
        let report = try await bench.store.validate(
            try table(bench, Array(rows.prefix(3)) + [["x", 9, 1]]), from: bench.dataFolder)
        let stopped = try await bench.store.validate(try table(bench, Array(rows.prefix(1))), from: bench.dataFolder)
        let document = JUnitReport([report, stopped])
        let counter = XMLCounter(document.text)
        #expect(counter.isWellFormed, "\(document.text)")
        #expect(counter.elements["testsuite"] == 2)
        #expect(counter.elements["testcase"] == 12)
        #expect(counter.elements["failure"] == 1)
        #expect(counter.elements["system-out"] == 4)
        #expect(counter.names.contains("short <\"&'>"))
        await bench.close()
    }

    @Test func resultsOfEarlierVersionsAreRead() throws {
        let text = #"{"name":"a","severity":"warn","rows":5,"failing":2,"example":"{}"}"#
        let result = try JSON.decode(ExpectationResult.self, from: text)
        #expect(!result.success && result.failing == 2 && result.example == "{}")
    }
}

/// Counts the elements of an XML text with a small reader of its own: tags must match and entities be known.
private struct XMLCounter {
    var elements: [String: Int] = [:]
    var names: [String] = []
    var isWellFormed = true

    init(_ text: String) {
        var open: [String] = []
        var rest = text[...].drop { $0 != "\n" }
        let entities = ["&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": "\"", "&apos;": "'"]
        if text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" }) { isWellFormed = false }
        while let start = rest.firstIndex(of: "<"), let end = rest[start...].firstIndex(of: ">") {
            if rest[..<start].contains(">") { isWellFormed = false }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.contains("<") { isWellFormed = false }
            if tag.hasPrefix("/") {
                if open.popLast() != String(tag.dropFirst()) { isWellFormed = false }
                continue
            }
            let name = String(tag.prefix { $0.isLetter || $0 == "-" })
            elements[name, default: 0] += 1
            if !tag.hasSuffix("/") { open.append(name) }
            if let match = tag.firstMatch(of: #/ name="([^"]*)"/#) {
                var value = String(match.1)
                for (entity, character) in entities where entity != "&amp;" {
                    value = value.replacing(entity, with: character)
                }
                names.append(value.replacing("&amp;", with: "&"))
            }
        }
        if !open.isEmpty { isWellFormed = false }
    }
}
