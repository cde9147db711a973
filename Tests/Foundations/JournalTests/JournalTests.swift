import Basics
import Foundation
import Journal
import SQL
import Synchronization
import TestSupport
import Testing

private struct Refused: Error {}

private final class Fixture: Sendable {
    let folder: TemporaryFolder
    let database: Database
    let journal: Journal

    init() async throws {
        folder = try TemporaryFolder()
        database = try await Database.open(at: folder("works.db"))
        try await database.migrate(Journal.migrations)
        journal = Journal(database)
    }

    func fill(_ count: Int) async throws {
        try await database.write { transaction in
            for index in 1...count {
                try Journal.append(draft(index), in: transaction, at: Timestamp(seconds: Int64(index)))
            }
        }
    }

    func tamper(_ sql: String, _ parameters: [SQLValue] = []) async throws {
        try await database.write { transaction in
            try transaction.script(
                "DROP TRIGGER IF EXISTS journal_unchanging; DROP TRIGGER IF EXISTS journal_undeletable")
            try transaction.execute(sql, parameters)
        }
    }
}

private func draft(_ index: Int) -> JournalDraft {
    JournalDraft(
        principal: "user:mina", type: index % 2 == 0 ? "even" : "odd", subject: "model:\(index % 3)",
        body: ["n": .integer(Int64(index)), "text": "é/\"\n"])
}

@Suite struct JournalTests {
    /// Worked out with Python's hashlib from the encoding that `JournalEntry.hash` states.
    @Test func theHashIsThatOfTheStatedEncoding() {
        #expect(Journal.genesis.hex == "0b47b6e9164bf12d39236c9dd9f24e654141000bb8fa43bf0ff6b72234dd9357")
        let hash = JournalEntry.hash(
            sequence: 1, time: Timestamp(microseconds: 1_357_034_400_000_000), principal: "user:mina",
            type: "model.promoted",
            subject: "model:é/3", bodyText: "{\"stage\":\"Production\"}", previousHash: Journal.genesis)
        #expect(hash.hex == "22d9de87592d2e81ffcf24232667fe7b92cc14468bceefc84890e6a0178f4987")
    }

    @Test func appendsReadBackAndVerify() async throws {
        let fixture = try await Fixture()
        #expect(try await fixture.journal.verify() == .intact(entries: 0, head: Journal.genesis))
        try await fixture.fill(10)
        let entries = try await fixture.journal.entries()
        #expect(entries.map(\.sequence) == Array(1...10))
        #expect(entries[0].previousHash == Journal.genesis)
        #expect(entries[9].bodyText == #"{"n":10,"text":"é/\"\n"}"#)
        #expect(try entries[4].body()["n"] == 5)
        #expect(try await fixture.journal.entries(after: 3, limit: 2, type: "even").map(\.sequence) == [4, 6])
        #expect(try await fixture.journal.entries(type: "odd", subject: "model:0").map(\.sequence) == [3, 9])
        #expect(try await fixture.journal.verify() == .intact(entries: 10, head: entries[9].hash))
    }

    @Test func anUndoneChangeLeavesNoGap() async throws {
        let fixture = try await Fixture()
        await withTaskGroup(of: Void.self) { group in
            for index in 1...100 {
                group.addTask {
                    try? await fixture.database.write { transaction in
                        try Journal.append(draft(index), in: transaction, at: Timestamp(seconds: 1))
                        if index % 3 == 0 { throw Refused() }
                    }
                }
            }
        }
        #expect(try await fixture.journal.entries(limit: 1000).map(\.sequence) == Array(1...67))
        #expect(try await fixture.journal.verify().isIntact)
    }

    @Test func entriesCanNotBeChangedOrDeletedBySQL() async throws {
        let fixture = try await Fixture()
        try await fixture.fill(3)
        for sql in ["UPDATE journal SET body = '{}'", "DELETE FROM journal"] {
            await #expect(throws: SQLFailure.self) { try await fixture.database.write { try $0.execute(sql) } }
        }
        #expect(try await fixture.journal.verify().isIntact)
    }

    @Test func bodiesThatAreNoJSONAreRefused() async throws {
        let fixture = try await Fixture()
        let bad = JournalDraft(principal: "p", type: "t", subject: "s", body: ["x": .number(.nan)])
        await #expect(throws: JournalFailure.self) { try await fixture.journal.append(bad, at: Timestamp(seconds: 0)) }
        #expect(try await fixture.journal.head().sequence == 0)
    }

    @Test func aByteChangedAnywhereIsLocated() async throws {
        let fixture = try await Fixture()
        try await fixture.fill(5)
        let row = try #require(
            try await fixture.database.read { try $0.first("SELECT * FROM journal WHERE sequence = 3") })
        for column in ["principal", "type", "subject", "body", "previous_hash", "hash"] {
            let text = try row.string(column)
            for index in text.utf8.indices {
                let offset = text.utf8.distance(from: text.utf8.startIndex, to: index)
                var bytes = Array(text.utf8)
                bytes[offset] ^= 1
                let changed = String(decoding: bytes, as: UTF8.self)
                try await fixture.tamper("UPDATE journal SET \(column) = ? WHERE sequence = 3", [.text(changed)])
                guard case .broken(sequence: 3, _) = try await fixture.journal.verify() else {
                    Issue.record("byte \(offset) of \(column) was not located")
                    return
                }
                try await fixture.tamper("UPDATE journal SET \(column) = ? WHERE sequence = 3", [.text(text)])
            }
        }
        #expect(try await fixture.journal.verify().isIntact)
        try await fixture.tamper("UPDATE journal SET time = time + 1 WHERE sequence = 3")
        #expect(try await fixture.journal.verify() == .broken(sequence: 3, reason: .hashMismatch))
    }

    @Test func aRowRehashedByAForgerBreaksTheChainBehindIt() async throws {
        let fixture = try await Fixture()
        try await fixture.fill(5)
        let entry = try await fixture.journal.entries(after: 2, limit: 1)[0]
        let forged = JournalEntry.hash(
            sequence: 3, time: entry.time, principal: entry.principal, type: entry.type, subject: entry.subject,
            bodyText: "{}", previousHash: entry.previousHash)
        try await fixture.tamper("UPDATE journal SET body = '{}', hash = ? WHERE sequence = 3", [.init(forged)])
        #expect(try await fixture.journal.verify() == .broken(sequence: 4, reason: .brokenChain))
    }

    @Test(arguments: [
        ("DELETE FROM journal WHERE sequence = 1", Int64(1), VerificationResult.Reason.missingSequence),
        ("DELETE FROM journal WHERE sequence = 3", 3, .missingSequence),
        ("DELETE FROM journal WHERE sequence = 5", 5, .missingSequence),
        ("DELETE FROM journal", 1, .missingSequence),
        ("UPDATE journal SET sequence = 99 WHERE sequence = 2", 2, .missingSequence),
        ("UPDATE journal SET body = x'00' WHERE sequence = 4", 4, .unreadable),
        ("UPDATE journal_head SET sequence = 4", 4, .brokenChain),
        (
            "INSERT INTO journal SELECT -1, time, principal, type, subject, body, previous_hash, hash FROM journal LIMIT 1",
            -1, .beyondHead
        ),
    ])
    func deletedMovedAndPlantedRowsAreLocated(
        sql: String, sequence: Int64, reason: VerificationResult.Reason
    ) async throws {
        let fixture = try await Fixture()
        try await fixture.fill(5)
        try await fixture.tamper(sql)
        #expect(try await fixture.journal.verify() == .broken(sequence: sequence, reason: reason))
    }

    @Test func swappedRowsAreLocated() async throws {
        let fixture = try await Fixture()
        try await fixture.fill(5)
        try await fixture.tamper("UPDATE journal SET sequence = 100 WHERE sequence = 2")
        try await fixture.tamper("UPDATE journal SET sequence = 2 WHERE sequence = 3")
        try await fixture.tamper("UPDATE journal SET sequence = 3 WHERE sequence = 100")
        #expect(try await fixture.journal.verify() == .broken(sequence: 2, reason: .hashMismatch))
    }

    @Test func aConsumerSeesEachEntryOnceEvenWhenItFails() async throws {
        let fixture = try await Fixture()
        try await fixture.fill(7)
        await #expect(throws: Refused.self) {
            try await fixture.database.write { transaction in
                _ = try Journal.consume("lineage", limit: 3, in: transaction)
                throw Refused()
            }
        }
        var seen: [Int64] = []
        while true {
            let batch = try await fixture.database.write { try Journal.consume("lineage", limit: 3, in: $0) }
            if batch.isEmpty { break }
            seen += batch.map(\.sequence)
        }
        #expect(seen == Array(1...7))
        #expect(try await fixture.database.read { try Journal.position(of: "other", in: $0) } == 0)
    }

    @Test func exportIsOneJSONDocumentALine() async throws {
        let fixture = try await Fixture()
        try await fixture.fill(2500)
        let output = Mutex<[UInt8]>([])
        let count = try await fixture.journal.export { bytes in output.withLock { $0 += bytes } }
        #expect(count == 2500)
        let lines = output.withLock { $0 }.split(separator: 10)
        #expect(lines.count == 2500)
        let last = try JSON.decode(JSONValue.self, from: try #require(lines.last))
        #expect(last["sequence"] == 2500)
        #expect(last["body"]?["text"] == "é/\"\n")
        #expect(last["time"] == "1970-01-01T00:41:40Z")
    }
}
