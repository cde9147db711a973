import Basics
import Foundation
import HTTP
import SQL
import TestSupport
import Testing
import Works
import Workshop

@Suite(.serialized) struct JournalProofTests {
    private func lines(_ body: [UInt8]) throws -> [JSONValue] {
        try body.split(separator: UInt8(ascii: "\n")).map { try JSON.decode(JSONValue.self, from: $0) }
    }

    /// - Returns: the sequence of a checkpoint that was asked for, before entries that only the end of the factory anchors.
    private func signed(in folder: TemporaryFolder) async throws -> Int64 {
        let shop = try await Workshop(in: folder)
        #expect(try await shop.post("/journal/checkpoint")["checkpoint"] == nil)
        try await shop.apply()
        let made = try await shop.post("/journal/checkpoint")
        #expect(made["anchor"]?.string == "'\(folder.path)/root/anchor/journal.jsonl'")
        #expect(try await shop.get("/journal/verify").json["unanchored"] == 0)
        try await shop.post("/features/build")
        await shop.works.close()
        return try #require(made["checkpoint"]?["sequence"]?.integer)
    }

    @Test func aFactorySignsAndAnchorsItsJournalAndFindsACutEndAfterARestart() async throws {
        let folder = try TemporaryFolder()
        let sequence = try await signed(in: folder)
        let database = try await Database.open(at: "\(folder.path)/root/works.db")
        let head = try await database.write { transaction in
            let rows = try transaction.query("SELECT hash FROM journal WHERE sequence = ?", [.integer(sequence)])
            let head = try transaction.query("SELECT sequence FROM journal_head")[0].integer("sequence")
            try transaction.script(
                """
                DROP TRIGGER journal_undeletable; DROP TRIGGER journal_checkpoints_undeletable;
                DELETE FROM journal WHERE sequence > \(sequence);
                DELETE FROM journal_checkpoints WHERE sequence > \(sequence)
                """)
            try transaction.execute(
                "UPDATE journal_head SET sequence = ?, hash = ?",
                [.integer(sequence), .text(try rows[0].string("hash"))])
            return head
        }
        await database.close()
        #expect(head > sequence)
        let again = try await Workshop(in: folder)
        let verified = try await again.get("/journal/verify").json
        #expect(verified["intact"] == false && verified["reason"] == "end cut off")
        #expect(verified["firstBad"] == .integer(sequence + 1))
        #expect(verified["anchored"]?["sequence"] == .integer(head))
        #expect(try await again.send(.post, "/journal/checkpoint").status >= 400)
        await again.works.close()
    }

    @Test func anAuditorVerifiesWithACopyAndAKeyOfTheirOwn() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        let checkpoint = try #require(try await shop.post("/journal/checkpoint")["checkpoint"])
        let root = "\(shop.folder.path)/root"
        let key = try String(contentsOfFile: "\(root)/keys/journal.ed25519.pub", encoding: .utf8)
        let good: JSONValue = ["checkpoints": [checkpoint], "keys": [.string(key)], "place": "'audit.jsonl'"]
        #expect(try await shop.post("/journal/verify", good)["intact"] == true)

        let stranger = try await Workshop()
        let other = try String(
            contentsOfFile: "\(stranger.folder.path)/root/keys/journal.ed25519.pub", encoding: .utf8)
        let wrong = try await shop.post(
            "/journal/verify", ["checkpoints": [checkpoint], "keys": [.string(other)], "place": "'audit.jsonl'"])
        #expect(wrong["intact"] == false && wrong["reason"] == "bad signature")
        try await stranger.apply()
        let foreign = try #require(try await stranger.post("/journal/checkpoint")["checkpoint"])
        let forked = try await shop.post(
            "/journal/verify", ["checkpoints": [foreign], "keys": [.string(other), .string(key)]])
        #expect(forked["intact"] == false && forked["reason"] == "forked")
        #expect(try await shop.send(.post, "/journal/verify", ["keys": ["nonsense"]]).status == 412)
    }

    @Test func exportsComeInPagesAndAsAStream() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        let entries = try await shop.journal()
        let stream = try lines(try await shop.get("/journal/export").body)
        #expect(stream.map { $0["sequence"] } == entries.map { $0["sequence"] })
        let page = try lines(try await shop.get("/journal/export?format=cloudevents&after=1&limit=1").body)
        #expect(page.count == 1)
        #expect(page.first?["id"] == "2" && page.first?["specversion"] == "1.0")
        let typed = try lines(try await shop.get("/journal/export?type=dataset.published").body)
        #expect(typed.count == entries.count { $0["type"] == "dataset.published" })
        #expect(try await shop.get("/journal/export?format=xml").status == 400)
    }
}
