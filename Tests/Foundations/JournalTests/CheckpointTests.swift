import Basics
import Engines
import Foundation
import SQL
import Sealing
import TestSupport
import Testing

@testable import Journal

@Suite struct CheckpointTests {
    private let start = Timestamp(seconds: 1_700_000_000)

    private func checkpointer(
        _ fixture: Fixture, _ anchor: any JournalAnchor, time: any TimeSource, entries: Int64 = 10, seconds: Int64 = 60,
        key: SigningKey? = nil
    ) throws -> Checkpointer {
        try Checkpointer(
            fixture.journal, keys: SigningKeyring(try key ?? signer()),
            options: JournalOptions(signingKeyFile: "", anchor: anchor, everyEntries: entries, everySeconds: seconds),
            time: time)
    }

    private func stored(_ fixture: Fixture) async throws -> [Int64] {
        try await fixture.database.read {
            try $0.query("SELECT sequence FROM journal_checkpoints ORDER BY sequence").map {
                try $0.integer("sequence")
            }
        }
    }

    /// The signature was made by PyNaCl 1.6.2 from the encoding that `signedBytes` states, with the first key of RFC 8032.
    @Test func theSignatureIsThatOfTheStatedEncoding() throws {
        let seed = try #require(Base64.bytes("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="))
        let hash = try #require(Digest("22d9de87592d2e81ffcf24232667fe7b92cc14468bceefc84890e6a0178f4987"))
        let checkpoint = Checkpoint(
            sequence: 1, hash: hash, time: Timestamp(microseconds: 1_357_034_400_000_000),
            signedBy: try SigningKey(seed: seed))
        #expect(checkpoint.keyID == "21fe31dfa154a261")
        #expect(
            Base64.text(checkpoint.signature)
                == "VjnjajFDce20VEWiIRjwImXJePUzFsdXyPWQYblIOjQB48YpsIVgcAlbeuzkOJo7B/ZuZ0POWQObe+wANGIcCw==")
        let copy = try JSON.decode(Checkpoint.self, from: try JSON.canonical(checkpoint))
        #expect(copy == checkpoint)
        #expect(copy.isSigned(by: SigningKeyring(try SigningKey(seed: seed))))
        #expect(!copy.isSigned(by: SigningKeyring(try signer())))
        for other in [
            Checkpoint(
                sequence: 2, hash: hash, time: copy.time, keyID: copy.keyID, signature: copy.signature),
            Checkpoint(
                sequence: 1, hash: Journal.genesis, time: copy.time, keyID: copy.keyID, signature: copy.signature),
            Checkpoint(
                sequence: 1, hash: hash, time: Timestamp(seconds: 1), keyID: copy.keyID, signature: copy.signature),
        ] {
            #expect(!other.isSigned(by: SigningKeyring(try SigningKey(seed: seed))))
        }
    }

    @Test(arguments: SQLEngine.allCases) func aCheckpointIsMadeAndAnchored(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        let anchor = FileAnchor(path: fixture.folder("anchor.jsonl"))
        let checkpointer = try checkpointer(fixture, anchor, time: ManualTime(start))
        #expect(try await checkpointer.checkpoint() == nil)
        try await fixture.fill(25)
        let checkpoint = try #require(try await checkpointer.checkpoint())
        #expect(checkpoint.sequence == 25)
        #expect(checkpoint.time == start)
        #expect(try await checkpointer.checkpoint() == checkpoint)
        #expect(try await anchor.history() == [checkpoint])
        #expect(try await stored(fixture) == [25])
        let report = try await fixture.journal.verify(anchor: anchor, keys: checkpointer.keys)
        #expect(report.verdict == .intact)
        #expect(report.unanchored == 0 && report.checkpoints == 2 && report.signaturesChecked)
        for sql in ["UPDATE journal_checkpoints SET time = 1", "DELETE FROM journal_checkpoints"] {
            await #expect(throws: SQLFailure.self) { try await fixture.database.write { try $0.execute(sql) } }
        }
    }

    @Test(arguments: SQLEngine.allCases) func onesThatAreDueAreMade(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        let anchor = FileAnchor(path: fixture.folder("anchor.jsonl"))
        let time = LooseTime(start)
        let checkpointer = try checkpointer(fixture, anchor, time: time)
        #expect(try await !checkpointer.tick())
        try await fixture.fill(1)
        #expect(try await checkpointer.tick())
        #expect(try await !checkpointer.tick())
        try await fixture.fill(9)
        #expect(try await !checkpointer.tick())
        try await fixture.fill(1)
        #expect(try await checkpointer.tick())
        #expect(try await anchor.latest()?.sequence == 11)
        time.now = start.advanced(bySeconds: 1000)
        #expect(try await !checkpointer.tick())
        try await fixture.fill(1)
        #expect(try await checkpointer.tick())
        let fresh = try self.checkpointer(fixture, anchor, time: time)
        #expect(try await !fresh.tick())
    }

    @Test(arguments: SQLEngine.allCases) func aClockThatGoesBackAnHourHidesNothing(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        let anchor = FileAnchor(path: fixture.folder("anchor.jsonl"))
        let time = LooseTime(start)
        let checkpointer = try checkpointer(fixture, anchor, time: time)
        try await fixture.journal.append(draft(1), at: time.now)
        #expect(try await checkpointer.tick())
        time.now = start.advanced(bySeconds: -3600)
        try await fixture.journal.append(draft(2), at: time.now)
        #expect(try await checkpointer.tick())
        #expect(try await anchor.history().map(\.sequence) == [1, 2])
        #expect(try await anchor.latest()?.time == start.advanced(bySeconds: -3600))
        #expect(try await fixture.journal.entries().map(\.time) == [start, start.advanced(bySeconds: -3600)])
        #expect(try await fixture.journal.verify(anchor: anchor, keys: checkpointer.keys).isIntact)
    }

    @Test(arguments: SQLEngine.allCases) func aCrashBetweenSigningAndAnchoringIsMadeGood(engine: SQLEngine) async throws
    {
        let fixture = try await Fixture(engine)
        let anchor = ShakyAnchor(FileAnchor(path: fixture.folder("anchor.jsonl")))
        try await fixture.fill(5)
        anchor.fail(times: 1)
        let first = try checkpointer(fixture, anchor, time: ManualTime(start))
        await #expect(throws: JournalFailure.self) { try await first.checkpoint() }
        #expect(try await stored(fixture) == [5])
        #expect(try await anchor.latest() == nil)
        let report = try await fixture.journal.verify(anchor: anchor, keys: first.keys)
        #expect(report.isIntact && report.unanchored == 5)

        let second = try checkpointer(fixture, anchor, time: ManualTime(start.advanced(bySeconds: 9)))
        #expect(try await second.tick())
        #expect(try await anchor.latest()?.time == start)
        #expect(try await stored(fixture) == [5])
        anchor.fail(times: 1)
        try await fixture.fill(20)
        await #expect(throws: JournalFailure.self) { try await second.tick() }
        try await fixture.fill(20)
        #expect(try await second.tick())
        #expect(try await anchor.history().map(\.sequence) == [5, 45])
        #expect(try await stored(fixture) == [5, 25, 45])
        #expect(try await fixture.journal.verify(anchor: anchor, keys: second.keys).isIntact)
    }

    @Test(arguments: SQLEngine.allCases) func twoProcessesShareAJournalAndAnAnchor(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        let path = fixture.folder("anchor.jsonl")
        let pair = try (0..<2).map { _ in
            try checkpointer(fixture, FileAnchor(path: path), time: ManualTime(start), entries: 1)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for checkpointer in pair {
                group.addTask {
                    for index in 1...20 {
                        try await fixture.journal.append(draft(index), at: Timestamp(seconds: 1))
                        try await checkpointer.checkpoint()
                    }
                }
            }
            try await group.waitForAll()
        }
        let report = try await fixture.journal.verify(anchor: FileAnchor(path: path), keys: pair[0].keys)
        #expect(report.isIntact && report.entries == 40 && report.unanchored == 0)
    }

    @Test(arguments: SQLEngine.allCases) func aDamagedOrReplacedJournalIsNeverSigned(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        let anchor = FileAnchor(path: fixture.folder("anchor.jsonl"))
        let checkpointer = try checkpointer(fixture, anchor, time: ManualTime(start))
        try await fixture.fill(5)
        try await checkpointer.checkpoint()
        try await fixture.fill(5)
        try await fixture.tamper("UPDATE journal SET principal = 'user:eve' WHERE sequence = 8")
        await #expect(throws: JournalFailure.damaged(sequence: 8, reason: "hash mismatch")) {
            try await checkpointer.checkpoint()
        }
        try await fixture.tamper("UPDATE journal SET principal = 'user:eve' WHERE sequence = 2")
        try await fixture.rehash(from: 2)
        await #expect(throws: JournalFailure.forked(sequence: 5, place: anchor.place)) {
            try await checkpointer.checkpoint()
        }
        try await fixture.tamper("DELETE FROM journal WHERE sequence > 4")
        try await fixture.tamper("UPDATE journal_head SET sequence = 4")
        await #expect(throws: JournalFailure.cutOff(entries: 4, anchored: 5)) { try await checkpointer.checkpoint() }
        #expect(try await anchor.latest()?.sequence == 5)
    }

    @Test(arguments: SQLEngine.allCases) func keysCanBeChanged(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        let anchor = FileAnchor(path: fixture.folder("anchor.jsonl"))
        let (old, new) = (try signer(), try SigningKey.generate())
        try await fixture.fill(5)
        try await checkpointer(fixture, anchor, time: ManualTime(start)).checkpoint()
        try await fixture.fill(5)
        let alone = try checkpointer(fixture, anchor, time: ManualTime(start), key: new)
        await #expect(throws: JournalFailure.badCheckpoint(sequence: 5, place: anchor.place)) {
            try await alone.checkpoint()
        }
        let path = fixture.folder("journal.ed25519")
        _ = try await Checkpointer.open(
            fixture.journal, options: JournalOptions(signingKeyFile: path, anchor: anchor), time: ManualTime(start))
        let line = try String(contentsOfFile: path, encoding: .utf8)
        try "\(line)\(old.verifyingKey)\n".write(toFile: path, atomically: false, encoding: .utf8)
        let both = try await Checkpointer.open(
            fixture.journal, options: JournalOptions(signingKeyFile: path, anchor: anchor), time: ManualTime(start))
        #expect(try await both.checkpoint()?.sequence == 10)
        #expect(try await fixture.journal.verify(anchor: anchor, keys: both.keys).isIntact)
    }

    @Test func publicKeysCanNotSign() async throws {
        let fixture = try await Fixture(.sqlite)
        let anchor = FileAnchor(path: fixture.folder("anchor.jsonl"))
        #expect(throws: JournalFailure.noSigner) {
            try Checkpointer(
                fixture.journal, keys: SigningKeyring([try signer().verifyingKey]),
                options: JournalOptions(signingKeyFile: "", anchor: anchor), time: ManualTime(start))
        }
    }
}
