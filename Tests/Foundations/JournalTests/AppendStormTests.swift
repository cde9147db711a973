import Basics
import Engines
import SQL
import Synchronization
import Testing

@testable import Journal

/// Many writers of two programs, of which some change their mind and some are refused.
@Suite struct AppendStormTests {
    @Test(arguments: SQLEngine.allCases, [1, 2] as [UInt64])
    func exactlyWhatSucceededIsThere(engine: SQLEngine, seed: UInt64) async throws {
        let fixture = try await Fixture(engine)
        let databases = [fixture.database, try await engine.database(in: fixture.folder)]
        try await databases[0].write { try $0.execute("CREATE TABLE marks (name TEXT PRIMARY KEY)") }
        let told = try await withThrowingTaskGroup(of: (done: [String], undone: Int).self) { group in
            for writer in 0..<24 {
                let database = databases[writer % 2]
                group.addTask {
                    let random = SeededRandom(seed: seed &* 100 &+ UInt64(writer))
                    var told: (done: [String], undone: Int) = ([], 0)
                    for round in 0..<12 {
                        let names = (0...Int(random.next() % 3)).map { "\(writer).\(round).\($0)" }
                        let mood = random.next() % 6
                        do {
                            try await database.write { try Self.change(names, mood, in: $0) }
                            told.done += names
                        } catch is Refused {
                            told.undone += 1
                        } catch SQLFailure.constraint {
                            told.undone += 1
                        }
                    }
                    return told
                }
            }
            return try await group.reduce(into: (done: [String](), undone: 0)) {
                $0.done += $1.done
                $0.undone += $1.undone
            }
        }
        let entries = try await fixture.journal.entries(limit: 10_000)
        #expect(entries.map(\.sequence) == Array(1...Int64(max(1, entries.count))))
        #expect(entries.map(\.subject).sorted() == told.done.sorted())
        #expect(told.undone > 20)
        #expect(try await fixture.journal.verify().isIntact)
        for database in databases { await database.close() }
    }

    private static func change(_ names: [String], _ mood: UInt64, in transaction: Transaction) throws {
        for name in names {
            let draft = JournalDraft(principal: "user:mina", type: "storm", subject: name, body: [:])
            try Journal.append(draft, in: transaction, at: Timestamp(seconds: 1))
        }
        switch mood {
        case 0: throw Refused()
        // Its failure shows late, when entries of others follow already.
        case 1:
            for _ in 0..<2 { try transaction.executeLater("INSERT INTO marks (name) VALUES (?)", [.text(names[0])]) }
        // An entry that the engine refuses.
        case 2 where names.count > 1:
            try transaction.executeLater(
                """
                INSERT INTO journal (sequence, time, principal, type, subject, body, previous_hash, hash)
                VALUES (1, 0, '', '', '', '', '', '')
                """)
        case 3: try transaction.execute("INSERT INTO marks (name) VALUES (?)", [.text(names[0])])
        default: break
        }
    }
}
