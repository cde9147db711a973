import Basics
import Engines
import SQL
import Testing

@testable import Journal

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

    @Test(arguments: SQLEngine.allCases) func appendsReadBackAndVerify(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
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

    @Test(arguments: SQLEngine.allCases) func anUndoneChangeLeavesNoGap(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
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

    @Test(arguments: SQLEngine.allCases) func entriesCanNotBeChangedOrDeletedBySQL(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        try await fixture.fill(3)
        for sql in ["UPDATE journal SET body = '{}'", "DELETE FROM journal"] {
            await #expect(throws: SQLFailure.self) { try await fixture.database.write { try $0.execute(sql) } }
        }
        #expect(try await fixture.journal.verify().isIntact)
    }

    @Test(arguments: SQLEngine.allCases) func readersNeverSeeGaps(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        let database = fixture.database
        try await withThrowingTaskGroup(of: Int.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for index in 0..<40 {
                        try? await database.write { transaction in
                            try Journal.append(draft(writer), in: transaction, at: Timestamp(seconds: 1))
                            if (writer + index) % 4 == 0 { throw Refused() }
                        }
                    }
                    return 0
                }
            }
            group.addTask {
                var (seen, gaps) = (Int64(0), 0)
                while seen < 240 {
                    let from = seen
                    let batch = try await database.read { try Journal.entries(in: $0, after: from, limit: 1000) }
                    for entry in batch {
                        if entry.sequence != seen + 1 { gaps += 1 }
                        seen = entry.sequence
                    }
                }
                return gaps
            }
            let gaps = try await group.reduce(0, +)
            #expect(gaps == 0)
        }
        #expect(try await fixture.journal.head().sequence == 240)
        #expect(try await fixture.journal.verify().isIntact)
    }

    @Test(arguments: SQLEngine.allCases) func everyBatchAndOrderOfBatchesGivesTheSameVerdict(
        engine: SQLEngine
    ) async throws {
        let fixture = try await Fixture(engine)
        try await fixture.fill(40)
        let head = try await fixture.journal.head()
        let start = ChainCheck.Link(sequence: 0, hash: Journal.genesis)
        let end = ChainCheck.Link(sequence: head.sequence, hash: head.hash)
        func faults() async throws -> Set<ChainCheck.Fault?> {
            var faults: Set<ChainCheck.Fault?> = []
            for batch in [1, 2, 7, 39, 40, 41] as [Int64] {
                for parallel in [1, 2, 5] {
                    let check = ChainCheck(database: fixture.database, parallel: parallel, batch: batch)
                    faults.insert(try await check.run(from: start, to: end))
                }
            }
            return faults
        }
        #expect(try await faults() == [nil])
        let entry = try await fixture.journal.entries(after: 20, limit: 1)[0]
        let forged = JournalEntry.hash(
            sequence: 21, time: entry.time, principal: "user:eve", type: entry.type, subject: entry.subject,
            bodyText: entry.bodyText, previousHash: entry.previousHash)
        try await fixture.tamper(
            "UPDATE journal SET principal = 'user:eve', hash = ? WHERE sequence = 21", [.init(forged)])
        #expect(try await faults() == [ChainCheck.Fault(22, .brokenChain)])
    }

    @Test(arguments: SQLEngine.allCases) func bodiesThatAreNoJSONAreRefused(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        let bad = JournalDraft(principal: "p", type: "t", subject: "s", body: ["x": .number(.nan)])
        await #expect(throws: JournalFailure.self) { try await fixture.journal.append(bad, at: Timestamp(seconds: 0)) }
        #expect(try await fixture.journal.head().sequence == 0)
    }

    @Test(arguments: SQLEngine.allCases) func aByteChangedAnywhereIsLocated(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
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

    @Test(arguments: SQLEngine.allCases) func aRowRehashedByAForgerBreaksTheChainBehindIt(engine: SQLEngine)
        async throws
    {
        let fixture = try await Fixture(engine)
        try await fixture.fill(5)
        let entry = try await fixture.journal.entries(after: 2, limit: 1)[0]
        let forged = JournalEntry.hash(
            sequence: 3, time: entry.time, principal: entry.principal, type: entry.type, subject: entry.subject,
            bodyText: "{}", previousHash: entry.previousHash)
        try await fixture.tamper("UPDATE journal SET body = '{}', hash = ? WHERE sequence = 3", [.init(forged)])
        #expect(try await fixture.journal.verify() == .broken(sequence: 4, reason: .brokenChain))
    }

    @Test(arguments: SQLEngine.allCases) func deletedMovedAndPlantedRowsAreLocated(engine: SQLEngine) async throws {
        var cases: [(sql: String, sequence: Int64, reason: VerificationResult.Reason)] = [
            ("DELETE FROM journal WHERE sequence = 1", 1, .missingSequence),
            ("DELETE FROM journal WHERE sequence = 3", 3, .missingSequence),
            ("DELETE FROM journal WHERE sequence = 5", 5, .missingSequence),
            ("DELETE FROM journal", 1, .missingSequence),
            ("UPDATE journal SET sequence = 99 WHERE sequence = 2", 2, .missingSequence),
            ("UPDATE journal_head SET sequence = 4", 4, .brokenChain),
            (
                """
                INSERT INTO journal SELECT -1, time, principal, type, subject, body, previous_hash, hash FROM journal
                WHERE sequence = 1
                """, -1, .beyondHead
            ),
        ]
        // Only SQLite lets a column hold another type than its own.
        if engine == .sqlite {
            cases.append(("UPDATE journal SET body = x'00' WHERE sequence = 4", 4, .unreadable))
        }
        for (sql, sequence, reason) in cases {
            let fixture = try await Fixture(engine)
            try await fixture.fill(5)
            try await fixture.tamper(sql)
            #expect(try await fixture.journal.verify() == .broken(sequence: sequence, reason: reason), "\(sql)")
        }
    }

    @Test(arguments: SQLEngine.allCases) func swappedRowsAreLocated(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        try await fixture.fill(5)
        try await fixture.tamper("UPDATE journal SET sequence = 100 WHERE sequence = 2")
        try await fixture.tamper("UPDATE journal SET sequence = 2 WHERE sequence = 3")
        try await fixture.tamper("UPDATE journal SET sequence = 3 WHERE sequence = 100")
        #expect(try await fixture.journal.verify() == .broken(sequence: 2, reason: .hashMismatch))
    }
}
