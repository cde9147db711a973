import Basics
import Engines
import Foundation
import Journal
import SQL
import Synchronization
import TestSupport
import Testing

@Suite struct ExportTests {
    private func lines(
        _ fixture: Fixture, _ format: JournalFormat, after: Int64 = 0, type: String? = nil
    ) async throws -> [JSONValue] {
        let output = Mutex<[UInt8]>([])
        let count = try await fixture.journal.export(format, after: after, type: type) { bytes in
            output.withLock { $0 += bytes }
        }
        let lines = output.withLock { $0 }.split(separator: 10)
        #expect(Int64(lines.count) == count)
        return try lines.map { try JSON.decode(JSONValue.self, from: $0) }
    }

    @Test(arguments: SQLEngine.allCases) func exportIsOneJSONDocumentALine(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        try await fixture.fill(2500)
        let lines = try await lines(fixture, .jsonl)
        #expect(lines.count == 2500)
        #expect(lines.last?["sequence"] == 2500)
        #expect(lines.last?["body"]?["text"] == "é/\"\n")
        #expect(lines.last?["time"] == "1970-01-01T00:41:40Z")
    }

    @Test(arguments: SQLEngine.allCases) func partsCanBeExported(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        #expect(try await lines(fixture, .jsonl).isEmpty)
        try await fixture.fill(2500)
        #expect(try await lines(fixture, .jsonl, after: 2498).map { $0["sequence"] } == [2499, 2500])
        let even = try await lines(fixture, .cloudevents, after: 100, type: "even")
        #expect(even.count == 1200)
        #expect(even.allSatisfy { $0["type"] == "modelworks.even" })
    }

    @Test(arguments: SQLEngine.allCases) func everyCloudEventHasWhatTheSpecificationAsksFor(engine: SQLEngine)
        async throws
    {
        let fixture = try await Fixture(engine)
        try await fixture.fill(3)
        try await fixture.journal.append(
            JournalDraft(principal: "user:mina", type: "odd", subject: "", body: ["n": 1]), at: Timestamp(seconds: 9))
        let events = try await lines(fixture, .cloudevents)
        let entries = try await fixture.journal.entries()
        for (event, entry) in zip(events, entries) {
            let members = try #require(event.object)
            #expect(event["specversion"] == "1.0")
            #expect(event["id"]?.string == "\(entry.sequence)")
            #expect(event["source"]?.string?.isEmpty == false)
            #expect(event["type"]?.string == "modelworks.\(entry.type)")
            #expect(event["subject"]?.string == (entry.subject.isEmpty ? nil : entry.subject))
            #expect(event["time"]?.string.flatMap { Timestamp($0) } == entry.time)
            #expect(event["datacontenttype"] == "application/json")
            #expect(event["data"] == (try entry.body()))
            #expect(event["hash"]?.string == entry.hash.hex && event["previoushash"]?.string == entry.previousHash.hex)
            for name in members.keys {
                #expect(name.utf8.count <= 20)
                #expect(name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) })
            }
        }
        let order = events.compactMap { $0["sequence"]?.string }
        #expect(order == order.sorted() && order.count == 4)
        #expect(order.first == "00000000000000000001")
    }

    @Test(arguments: SQLEngine.allCases) func aMissingEntryStopsTheExport(engine: SQLEngine) async throws {
        for gone in ["= 3", "= 5", "> 0"] {
            let fixture = try await Fixture(engine)
            try await fixture.fill(5)
            try await fixture.tamper("DELETE FROM journal WHERE sequence \(gone)")
            await #expect(throws: JournalFailure.self) { try await fixture.journal.export { _ in } }
        }
    }
}
