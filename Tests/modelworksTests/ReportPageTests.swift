import Basics
import Foundation
import FoundationXML
import Testing

@testable import modelworks

@Suite struct ReportPageTests {
    /// Counts elements and collects text while the parser checks that the document is well formed.
    private final class Reader: NSObject, XMLParserDelegate {
        var elements: [String: Int] = [:]
        var attributes: [String] = []
        var text = ""

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes given: [String: String]
        ) {
            elements[name, default: 0] += 1
            attributes += given.values
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
    }

    private func read(_ page: String) throws -> Reader {
        let body = page.replacingOccurrences(of: "<!DOCTYPE html>\n", with: "")
        let parser = XMLParser(data: Data(body.utf8))
        let reader = Reader()
        parser.delegate = reader
        let isWellFormed = parser.parse()
        try #require(isWellFormed, "line \(parser.lineNumber): \(String(describing: parser.parserError))")
        return reader
    }

    /// Each picture of the page, cut out.
    private func pictures(_ page: String) -> [String] {
        page.components(separatedBy: "<svg").dropFirst().compactMap { rest in
            rest.range(of: "</svg>").map { "<svg" + rest[..<$0.upperBound] }
        }
    }

    @Test func isWellFormedAndKeepsToItself() throws {
        let page = ReportPage.render(ReportSample.make())
        if let path = ProcessInfo.processInfo.environment["REPORT_SAMPLE"] {
            try page.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let reader = try read(page)
        #expect(reader.elements["script"] == nil && reader.elements["img"] == nil && reader.elements["link"] == nil)
        #expect(!page.contains("url(") && !page.contains("@import") && !page.contains("src="))
        let cut = pictures(page)
        #expect(cut.count == 4)
        for picture in cut {
            let drawing = try read(picture)
            #expect(!drawing.attributes.contains { $0.contains("nan") || $0.contains("inf") })
        }
    }

    @Test func drawsAnEmptyRunAsNotes() throws {
        let page = ReportPage.render(DemoReport(title: "Nothing yet"))
        let reader = try read(page)
        #expect(reader.elements["svg"] == nil)
        #expect(page.components(separatedBy: "class=\"empty\"").count - 1 == 8)
        for note in [
            "No week has an AUC yet", "No drift was measured", "No traffic was split", "No latency was measured",
        ] {
            #expect(reader.text.contains(note))
        }
    }

    @Test func escapesEveryText() throws {
        let evil = "<script>alert('x')</script>&\"\u{0}\u{1B}"
        var report = ReportSample.make()
        report.title = evil
        report.subtitle = evil
        report.facts = [.init(name: evil, value: evil, note: evil)]
        report.events = [.init(time: ReportSample.moment(80), kind: .alert, label: evil)]
        report.drift.features[0] = evil
        report.traffic.append(.init(time: ReportSample.moment(270), arms: [evil: 1]))
        report.quarantine = [.init(table: evil, expectation: evil, rows: 1, reason: evil)]
        report.rollout[0].verdict = evil
        report.rollback?.reason = evil
        report.lineage.items = [.init(kind: evil, name: evil, digest: evil, note: evil)]
        report.journal?.head = evil
        let page = ReportPage.render(report)
        let reader = try read(page)
        #expect(reader.elements["script"] == nil)
        #expect(!page.contains("<script") && !page.contains("\u{0}") && !page.contains("\u{1B}"))
        #expect(reader.text.contains("<script>alert('x')</script>&\"\u{FFFD}\u{FFFD}"))
    }

    @Test func showsTheFiguresItWasGiven() throws {
        let report = ReportSample.make()
        let text = try read(ReportPage.render(report)).text
        for week in report.weeks {
            #expect(text.contains("\(Numbers.fixed(week.championAUC, 4))"))
            #expect(text.contains("\(Numbers.grouped(week.requests)) requests, \(Numbers.grouped(week.labels)) labels"))
        }
        for (feature, row) in zip(report.drift.features, report.drift.psi) {
            for (week, value) in zip(report.drift.weeks, row) {
                let figure = value.map { "PSI \(Numbers.fixed($0, 3))" } ?? "too few values"
                #expect(text.contains("\(feature), week of \(Numbers.day(week)): \(figure)"))
            }
        }
        for bucket in report.latency.buckets where bucket.count > 0 {
            #expect(text.contains(": \(Numbers.grouped(bucket.count)) answers"))
        }
        for expected in [
            "p50 710 µs", "p99 1.84 ms", "1,175", "1.79 ms", "0.41 s", "1,311", "1,284 entries", "the hash chain holds",
            "delay:2: 25% from 9 Jul 2013 00:00 UTC", "0910618c2f77",
        ] { #expect(text.contains(expected), "\(expected)") }
    }

    @Test func survivesBrokenFigures() throws {
        var report = ReportSample.make()
        report.weeks[0].championAUC = .nan
        report.weeks[1].championAUC = .infinity
        report.drift.psi = [[.nan, .infinity, -1], []]
        report.latency.buckets = [
            .init(upperBoundMs: .infinity, count: 4), .init(upperBoundMs: -1, count: 2),
            .init(upperBoundMs: 1, count: .max),
            .init(upperBoundMs: 2, count: .max),
        ]
        report.latency.p99 = .nan
        report.traffic = [.init(time: .distantPast, arms: ["a": .nan]), .init(time: .distantFuture, arms: ["b": 3])]
        report.rollback?.seconds = .nan
        report.weeks.append(.init(weekStart: .distantFuture, labels: .max, requests: .min))
        let page = ReportPage.render(report)
        _ = try read(page)
        for picture in pictures(page) {
            let drawing = try read(picture)
            #expect(!drawing.attributes.contains { $0.contains("nan") || $0.contains("inf") })
        }
        report.journal?.verified = false
        #expect(ReportPage.render(report).contains("the hash chain is broken"))
    }

    @Test func readsItsOwnJSON() throws {
        let report = ReportSample.make()
        let copy = try JSONDecoder().decode(DemoReport.self, from: JSONEncoder().encode(report))
        #expect(ReportPage.render(copy) == ReportPage.render(report))
    }
}
