import Basics
import Engines
import Foundation
import SQL
import Sealing
import TestSupport
import Testing

@testable import Journal

/// What someone who has the database itself may do, and what is found of it: by the chain alone, and with the anchor.
@Suite struct TamperTests {
    enum Act: String, CaseIterable, Sendable {
        case change, delete, insert, swap, cutTail, rehashAll, rehashTail, planted, changedCheckpoint, signedByAnother
    }

    /// Ten entries with checkpoints at 4 and 8, of which the anchor knows both.
    private func prepared(_ engine: SQLEngine) async throws -> (Fixture, FileAnchor, SigningKeyring) {
        let fixture = try await Fixture(engine)
        let anchor = FileAnchor(path: fixture.folder("anchor.jsonl"))
        let keys = SigningKeyring(try signer())
        let checkpointer = try Checkpointer(
            fixture.journal, keys: keys, options: JournalOptions(signingKeyFile: "", anchor: anchor),
            time: ManualTime(Timestamp(seconds: 1)))
        try await fixture.fill(4)
        try await checkpointer.checkpoint()
        try await fixture.fill(4)
        try await checkpointer.checkpoint()
        try await fixture.fill(2)
        return (fixture, anchor, keys)
    }

    private func perform(_ act: Act, on fixture: Fixture) async throws {
        switch act {
        case .change: try await fixture.tamper("UPDATE journal SET principal = 'user:eve' WHERE sequence = 6")
        case .delete: try await fixture.tamper("DELETE FROM journal WHERE sequence = 6")
        case .insert:
            try await fixture.tamper(
                """
                INSERT INTO journal SELECT 11, time, principal, type, subject, body, previous_hash, hash FROM journal
                WHERE sequence = 6
                """)
            try await fixture.tamper("UPDATE journal_head SET sequence = 11")
        case .swap:
            for (from, to) in [(6, 100), (7, 6), (100, 7)] {
                try await fixture.tamper("UPDATE journal SET sequence = \(to) WHERE sequence = \(from)")
            }
        case .cutTail:
            try await fixture.tamper("DELETE FROM journal WHERE sequence > 5")
            try await fixture.tamper("DELETE FROM journal_checkpoints WHERE sequence > 5")
            let hash = try await fixture.journal.entries(after: 4, limit: 1)[0].hash
            try await fixture.tamper("UPDATE journal_head SET sequence = 5, hash = ?", [.init(hash)])
        case .rehashAll:
            try await fixture.tamper("UPDATE journal SET principal = 'user:eve' WHERE sequence = 6")
            try await fixture.rehash(from: 6)
            try await fixture.tamper("DELETE FROM journal_checkpoints")
        case .rehashTail:
            try await fixture.tamper("UPDATE journal SET principal = 'user:eve' WHERE sequence = 9")
            try await fixture.rehash(from: 9)
        case .planted: try await fixture.tamper("UPDATE journal SET sequence = -3 WHERE sequence = 6")
        case .changedCheckpoint:
            try await fixture.tamper("UPDATE journal_checkpoints SET time = 5 WHERE sequence = 4")
        case .signedByAnother:
            let entry = try await fixture.journal.entries(after: 5, limit: 1)[0]
            let forged = Checkpoint(
                sequence: 6, hash: entry.hash, time: entry.time, signedBy: try SigningKey.generate())
            _ = try await fixture.database.write { try Journal.add(forged, in: $0) }
        }
    }

    private func expected(_ act: Act) -> (chain: VerificationResult?, verdict: JournalReport.Verdict) {
        switch act {
        case .change: (.broken(sequence: 6, reason: .hashMismatch), .broken(sequence: 6, reason: .hashMismatch))
        case .delete, .planted:
            (.broken(sequence: 6, reason: .missingSequence), .broken(sequence: 6, reason: .missingSequence))
        case .insert: (.broken(sequence: 11, reason: .hashMismatch), .broken(sequence: 11, reason: .hashMismatch))
        case .swap: (.broken(sequence: 6, reason: .hashMismatch), .broken(sequence: 6, reason: .hashMismatch))
        // The chain alone finds nothing wrong with these.
        case .cutTail: (nil, .cutOff(entries: 5, anchored: 8))
        case .rehashAll: (nil, .forked(sequence: 8, lastGood: 4))
        case .rehashTail: (nil, .intact)
        case .changedCheckpoint: (nil, .badSignature(sequence: 4, place: "the database"))
        case .signedByAnother: (nil, .badSignature(sequence: 6, place: "the database"))
        }
    }

    @Test(arguments: SQLEngine.allCases, Act.allCases)
    func whatIsDoneToTheDatabaseIsFound(engine: SQLEngine, act: Act) async throws {
        let (fixture, anchor, keys) = try await prepared(engine)
        let before = try await fixture.journal.verify(anchor: anchor, keys: keys)
        #expect(before.isIntact && before.unanchored == 2)
        try await perform(act, on: fixture)
        let (chain, verdict) = expected(act)
        let alone = try await fixture.journal.verify()
        if let chain { #expect(alone == chain) } else { #expect(alone.isIntact) }
        let report = try await fixture.journal.verify(anchor: anchor, keys: keys)
        #expect(report.verdict == verdict)
        #expect(report.anchored?.sequence == 8)
        #expect((report.firstBad == nil) == report.isIntact)
    }

    /// Nothing outside tells of the last entries: a report must say how many they are.
    @Test(arguments: SQLEngine.allCases) func theTailThatIsNotAnchoredIsSaid(engine: SQLEngine) async throws {
        let (fixture, anchor, keys) = try await prepared(engine)
        let report = try await fixture.journal.verify(anchor: anchor, keys: keys)
        #expect(report.summary == "The journal is whole: 10 entries, the last 2 not yet anchored (checkpoint at 8).")
        let without = try await fixture.journal.verify(anchor: nil, keys: nil)
        #expect(without.isIntact && without.unanchored == 10 && !without.signaturesChecked)
        #expect(without.summary == "The journal is whole: 10 entries, none of them anchored.")
    }

    @Test(arguments: SQLEngine.allCases) func anAnchorOfAnotherJournalIsAFork(engine: SQLEngine) async throws {
        let (fixture, _, keys) = try await prepared(engine)
        let other = try await Fixture(engine)
        try await other.journal.append(draft(99), at: Timestamp(seconds: 5))
        let anchor = FileAnchor(path: other.folder("other.jsonl"))
        let entry = try await other.journal.entries()[0]
        try await anchor.store(Checkpoint(sequence: 1, hash: entry.hash, time: entry.time, signedBy: try signer()))
        let report = try await fixture.journal.verify(anchor: anchor, keys: keys)
        #expect(report.verdict == .forked(sequence: 1, lastGood: 0))
        #expect(report.summary.contains("one of 1 to 1"))
    }

    @Test(arguments: SQLEngine.allCases) func anAnchorThatWasWrittenByAnotherIsToldApart(engine: SQLEngine) async throws
    {
        let (fixture, _, keys) = try await prepared(engine)
        let anchor = FileAnchor(path: fixture.folder("forged.jsonl"))
        let entry = try await fixture.journal.entries(after: 6, limit: 1)[0]
        try await anchor.store(
            Checkpoint(sequence: 7, hash: entry.hash, time: entry.time, signedBy: try SigningKey.generate()))
        let report = try await fixture.journal.verify(anchor: anchor, keys: keys)
        #expect(report.verdict == .badSignature(sequence: 7, place: anchor.place))
        #expect(report.firstBad == 7)
    }
}
