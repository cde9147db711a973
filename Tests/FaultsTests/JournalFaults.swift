import Basics
import Foundation
import SQL
import TestSupport
import Testing

/// A journal that was changed behind the program's back is noticed.
@Suite struct JournalFaults {
    private static func verify(_ folder: TemporaryFolder) async throws -> (code: Int32, output: String, errors: String)
    {
        let path = folder.path
        return try await onThread("journal-verify") {
            try Modelworks.run(["journal", "verify", "--root", "\(path)/root"], folder: path)
        }
    }

    /// A root with a few entries in its journal, whose server has ended.
    private static func root(entries: Int) async throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try await onThread("journal-root") {
            let server = try Server(root: "\(folder.path)/root", logs: folder.path)
            let api = try API(url: server.url)
            for number in 1...entries {
                try api.post(
                    "/apply",
                    ["root": .string(folder.path), "files": ["works.yaml": .string("{name: n\(number), owner: test}")]])
            }
            guard try server.stop() == 0 else { throw Unmet("the server did not end well") }
        }
        return folder
    }

    @Test("one flipped byte of one entry's body is found, and the entry named", .timeLimit(.minutes(2)))
    func flippedByte() async throws {
        let folder = try await Self.root(entries: 12)
        let whole = try await Self.verify(folder)
        #expect(whole.code == 0)
        #expect(whole.output.contains("12 entries"))

        let random = SeededRandom(seed: KillTrial.seed)
        let sequence = Int64(1 + random.next() % 12)
        let database = try await Database.open(at: "\(folder.path)/root/works.db")
        try await database.write { transaction in
            // Whoever can write the file can drop the trigger too.
            try transaction.execute("DROP TRIGGER journal_unchanging")
            let row = try transaction.first("SELECT body FROM journal WHERE sequence = ?", [.integer(sequence)])
            var bytes = Array((try row?.string("body") ?? "").utf8)
            let place = Int(random.next() % UInt64(bytes.count))
            bytes[place] ^= 1
            try transaction.execute(
                "UPDATE journal SET body = ? WHERE sequence = ?",
                [.text(String(decoding: bytes, as: UTF8.self)), .integer(sequence)])
        }
        await database.close()

        let damaged = try await Self.verify(folder)
        #expect(damaged.code == 1)
        #expect(damaged.output.contains("entry \(sequence)"))
        // A server on the same root serves, and says so too.
        let path = folder.path
        let document = try await onThread("journal-server") { () -> JSONValue in
            let server = try Server(root: "\(path)/root", logs: path)
            return try API(url: server.url).get("/journal/verify")
        }
        #expect(document["intact"]?.bool == false)
        #expect(document["firstBad"]?.integer == sequence)
    }

    @Test("entries cut off the end are missed", .timeLimit(.minutes(2)))
    func cutEnd() async throws {
        let folder = try await Self.root(entries: 4)
        let database = try await Database.open(at: "\(folder.path)/root/works.db")
        try await database.write { transaction in
            try transaction.execute("DROP TRIGGER journal_undeletable")
            try transaction.execute("DELETE FROM journal WHERE sequence > 2")
        }
        await database.close()
        let damaged = try await Self.verify(folder)
        #expect(damaged.code == 1)
        #expect(damaged.output.contains("entry 3"))
    }
}
