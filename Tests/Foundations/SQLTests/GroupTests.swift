import Basics
import Engines
import SQL
import Synchronization
import TestSupport
import Testing

/// Changes that are committed together: what one tells the next, and what is answered late.
@Suite struct GroupTests {
    @Test(arguments: SQLEngine.allCases) func aLateFailureIsThatOfItsOwnChange(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        let outcomes = await together(database, count: 60) { index, transaction in
            // Every tenth takes the name of one before.
            try transaction.executeLater(
                "INSERT INTO items (id, name) VALUES (?, ?)",
                [.init(index), .text(index % 10 == 9 ? "n0" : "n\(index)")])
        }
        for (index, outcome) in outcomes where index % 10 != 9 && index > 0 {
            #expect(throws: Never.self) { try outcome.get() }
        }
        // The order of changes is open: one of those that share a name was the first.
        let sharers = outcomes.filter { $0.key % 10 == 9 || $0.key == 0 }
        #expect(sharers.values.filter { (try? $0.get()) != nil }.count == 1)
        for case .failure(let error) in sharers.values {
            guard case .constraint(.unique, _)? = error as? SQLFailure else {
                Issue.record("another failure: \(error)")
                continue
            }
        }
        #expect(try await count(database) == 54)
    }

    @Test(arguments: SQLEngine.allCases) func aLateFailureOfALoneChangeIsItsOwn(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        try await database.write { try $0.executeLater("INSERT INTO items (id) VALUES (1)") }
        let runs = Tally()
        await #expect(throws: SQLFailure.self) {
            try await database.write { transaction in
                runs.count.add(1, ordering: .relaxed)
                try transaction.executeLater("INSERT INTO items (id) VALUES (2)")
                try transaction.executeLater("INSERT INTO items (id) VALUES (1)")
            }
        }
        #expect(runs.count.load(ordering: .relaxed) == 1)
        #expect(try await count(database) == 1)
    }

    @Test(arguments: SQLEngine.allCases) func manyLateStatementsOfOneChangeTravelInParts(_ engine: SQLEngine)
        async throws
    {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        try await database.write { transaction in
            for index in 0..<5000 {
                try transaction.executeLater(
                    "INSERT INTO items (id, text) VALUES (?, ?)",
                    [.init(index), .text(String(repeating: "x", count: index % 1000 == 0 ? 2_000_000 : 10))])
            }
        }
        #expect(try await count(database) == 5000)
    }

    @Test(arguments: SQLEngine.allCases) func aNoteLivesAsLongAsItsChangeAndItsGroup(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        try await database.write { transaction in
            #expect(transaction.note("n", as: Int.self) == nil)
            transaction.setNote("n", 1)
            #expect(transaction.note("n", as: Int.self) == 1)
            #expect(transaction.note("n", as: String.self) == nil)
            transaction.setNote("n", nil)
            #expect(transaction.note("n", as: Int.self) == nil)
            transaction.setNote("n", 2)
        }
        // A later group knows nothing of it, nor does a read.
        try await database.write { #expect($0.note("n", as: Int.self) == nil) }
        try await database.read {
            $0.setNote("n", 3)
            #expect($0.note("n", as: Int.self) == nil)
        }
    }

    /// Rows are numbered by a note: a note that outlived its change would leave a gap, one that came from another
    /// process's time would give a number twice.
    @Test(arguments: SQLEngine.allCases, [1, 2, 3] as [UInt64])
    func numbersByNotesHaveNoGaps(_ engine: SQLEngine, seed: UInt64) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let databases = [try await engine.items(in: folder), try await engine.database(in: folder)]
        let outcomes = try await withThrowingTaskGroup(of: [Answer].self) { group in
            for writer in 0..<24 {
                let database = databases[writer % 2]
                group.addTask {
                    let random = SeededRandom(seed: seed &* 1000 &+ UInt64(writer))
                    var told: [Answer] = []
                    for round in 0..<12 {
                        let (name, fate) = ("w\(writer)r\(round)", Fate(random))
                        do {
                            try await database.write { try number(name, fate, in: $0) }
                            told.append(Answer(name: name, isDone: true))
                        } catch is Refused {
                            #expect(fate.refusesEarly || fate.refusesLate)
                            told.append(Answer(name: name, isDone: false))
                        } catch SQLFailure.constraint(.unique, _) {
                            #expect(fate.breaksARule)
                            told.append(Answer(name: name, isDone: false))
                        }
                    }
                    return told
                }
            }
            return try await group.reduce(into: [Answer]()) { $0 += $1 }
        }
        let rows = try await databases[1].read { try $0.query("SELECT number, name FROM items ORDER BY number") }
        #expect(try rows.map { try $0.int("number") } == Array(1...max(1, rows.count)))
        let names = try rows.map { try $0.string("name") }
        #expect(names.sorted() == outcomes.filter(\.isDone).map(\.name).sorted())
        #expect(outcomes.count == 24 * 12 && names.count > 20 && names.count < outcomes.count - 20)
        for database in databases { await database.close() }
    }

    /// Asks for changes while the writer is held, so that most of them are committed together.
    private func together(
        _ database: Database, count: Int, _ body: @escaping @Sendable (Int, Transaction) throws -> Void
    ) async -> [Int: Result<Void, any Error>] {
        let asked = Tally()
        return await withTaskGroup(of: (Int, Result<Void, any Error>).self) { group in
            for index in 0..<count {
                group.addTask {
                    asked.count.add(1, ordering: .relaxed)
                    do {
                        try await database.write { transaction in
                            try? waitUntil("the others ask") { asked.count.load(ordering: .relaxed) == count }
                            try body(index, transaction)
                        }
                        return (index, .success(()))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
}

private final class Tally: Sendable {
    let count = Atomic<Int>(0)
}

private struct Answer: Sendable {
    let name: String
    let isDone: Bool
}

/// What happens in a change.
private struct Fate {
    let refusesEarly: Bool
    let refusesLate: Bool
    let breaksARule: Bool
    let asks: Bool
    let doesNotWait: Bool

    init(_ random: SeededRandom) {
        refusesEarly = random.next() % 8 == 0
        refusesLate = random.next() % 8 == 0
        breaksARule = random.next() % 8 == 0
        asks = random.next() % 4 == 0
        doesNotWait = random.next() % 4 != 0
    }
}

private func number(_ name: String, _ fate: Fate, in transaction: Transaction) throws {
    let last =
        try transaction.note("last", as: Int64.self) ?? transaction.first(
            "SELECT coalesce(max(number), 0) AS n FROM items")?.integer("n") ?? 0
    transaction.setNote("last", last + 1)
    if fate.refusesEarly { throw Refused() }
    let insert = "INSERT INTO items (id, name, number) VALUES (?, ?, ?)"
    let row: [SQLValue] = [.integer(last + 1), .text(name), .integer(last + 1)]
    if fate.doesNotWait { try transaction.executeLater(insert, row) } else { try transaction.execute(insert, row) }
    if fate.asks {
        let found = try transaction.first("SELECT max(number) AS n FROM items")?.integer("n")
        #expect(found == last + 1)
    }
    if fate.breaksARule { try transaction.executeLater(insert, row) }
    if fate.refusesLate { throw Refused() }
}
