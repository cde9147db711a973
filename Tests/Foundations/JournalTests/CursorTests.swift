import Basics
import Engines
import Foundation
import Journal
import SQL
import Synchronization
import TestSupport
import Testing

@Suite struct CursorTests {
    @Test(arguments: SQLEngine.allCases) func aConsumerSeesEachEntryOnceEvenWhenItFails(engine: SQLEngine) async throws
    {
        let fixture = try await Fixture(engine)
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

    /// The consumer's effect is a row for each entry; at every step of every turn it may die.
    @Test(arguments: SQLEngine.allCases) func theEffectOfEachEntryHappensOnceWhereverTheConsumerDies(
        engine: SQLEngine
    ) async throws {
        let fixture = try await Fixture(engine)
        try await fixture.fill(60)
        try await fixture.database.write {
            try $0.execute("CREATE TABLE effects (sequence INTEGER NOT NULL, turn INTEGER NOT NULL)")
        }
        let random = SeededRandom(seed: 5)
        var turn: Int64 = 0
        while try await fixture.database.read({ try Journal.position(of: "c", in: $0) }) < 60 {
            turn += 1
            let (now, death) = (turn, random.next() % 6)
            try? await fixture.database.write { transaction in
                if death == 0 { throw Refused() }
                let batch = try Journal.consume("c", limit: 4, in: transaction)
                if death == 1 { throw Refused() }
                for (index, entry) in batch.enumerated() {
                    try transaction.execute(
                        "INSERT INTO effects (sequence, turn) VALUES (?, ?)", [.integer(entry.sequence), .integer(now)])
                    if death == 2, index == 1 { throw Refused() }
                }
                if death == 3 { throw Refused() }
            }
        }
        let effects = try await fixture.database.read {
            try $0.query("SELECT sequence FROM effects ORDER BY sequence").map { try $0.integer("sequence") }
        }
        #expect(effects == Array(1...60))
    }

    /// What a power cut in the middle of a turn leaves is a copy of the files at that moment.
    @Test func aTurnThatWasNotCommittedIsNotThereAfterARestart() async throws {
        let fixture = try await Fixture(.sqlite)
        try await fixture.fill(6)
        try await fixture.database.write { try $0.execute("CREATE TABLE effects (sequence INTEGER NOT NULL)") }
        _ = try await fixture.database.write { try Journal.consume("c", limit: 2, in: $0) }
        let folder = fixture.folder
        try FileManager.default.createDirectory(atPath: folder("cut"), withIntermediateDirectories: true)
        try await fixture.database.write { transaction in
            for entry in try Journal.consume("c", limit: 2, in: transaction) {
                try transaction.execute("INSERT INTO effects (sequence) VALUES (?)", [.integer(entry.sequence)])
            }
            for name in ["works.db", "works.db-wal"] {
                try FileManager.default.copyItem(atPath: folder(name), toPath: folder("cut/\(name)"))
            }
        }
        let cut = try await Database.open(at: folder("cut/works.db"))
        #expect(try await cut.read { try Journal.position(of: "c", in: $0) } == 2)
        #expect(try await cut.read { try $0.query("SELECT sequence FROM effects") }.isEmpty)
        #expect(try await Journal(cut).verify().isIntact)
        #expect(try await fixture.database.read { try Journal.position(of: "c", in: $0) } == 4)
        await cut.close()
    }

    @Test(arguments: SQLEngine.allCases) func twoOfOneNameShareTheEntries(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        try await fixture.fill(100)
        let seen = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<2 {
                group.addTask {
                    var seen: [Int64] = []
                    while true {
                        let batch = try await fixture.database.write { try Journal.consume("c", limit: 3, in: $0) }
                        if batch.isEmpty { return seen }
                        seen += batch.map(\.sequence)
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(seen.sorted() == Array(1...100))
    }

    @Test(arguments: SQLEngine.allCases) func aCursorCanBeMoved(engine: SQLEngine) async throws {
        let fixture = try await Fixture(engine)
        try await fixture.fill(5)
        try await fixture.database.write { try Journal.move("c", to: 3, in: $0) }
        let batch = try await fixture.database.write { try Journal.consume("c", limit: 9, in: $0) }
        #expect(batch.map(\.sequence) == [4, 5])
        try await fixture.database.write { try Journal.move("c", to: 0, in: $0) }
        #expect(try await fixture.database.write { try Journal.consume("c", limit: 9, in: $0) }.count == 5)
        await #expect(throws: JournalFailure.limit(0)) {
            try await fixture.database.write { _ = try Journal.consume("c", limit: 0, in: $0) }
        }
    }
}
