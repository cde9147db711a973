import Basics
import Engines
import Foundation
import SQL
import TestSupport
import Testing

/// Many callers and two openers at once.
@Suite struct ConcurrencyTests {
    @Test(arguments: SQLEngine.allCases) func twoOpenersShareOneSequence(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let openers = [try await engine.items(in: folder), try await engine.database(in: folder)]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                let database = openers[writer % 2]
                group.addTask {
                    for _ in 0..<20 {
                        try await database.write { transaction in
                            let last = try transaction.first("SELECT coalesce(max(id), 0) AS n FROM items")
                            try transaction.execute(
                                "INSERT INTO items (id) VALUES (?)", [.integer((try last?.integer("n") ?? 0) + 1)])
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await count(openers[0]) == 160)
        let last = try await openers[1].read { try $0.first("SELECT max(id) AS n FROM items")?.integer("n") }
        #expect(last == 160)
    }

    @Test(arguments: SQLEngine.allCases) func twoHundredWritersEachKeepTheirOwnOutcome(_ engine: SQLEngine) async throws
    {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        let outcomes = try await withThrowingTaskGroup(of: (Int, Bool).self) { group in
            for index in 0..<200 {
                group.addTask {
                    do {
                        try await database.write { transaction in
                            try transaction.execute("INSERT INTO items (id) VALUES (?)", [.init(index)])
                            if index % 7 == 0 { throw Refused() }
                        }
                        return (index, true)
                    } catch is Refused {
                        return (index, false)
                    }
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        #expect((0..<200).allSatisfy { outcomes[$0] == ($0 % 7 != 0) })
        let ids = try await database.read { try $0.query("SELECT id FROM items ORDER BY id").map { try $0.int("id") } }
        #expect(ids == (0..<200).filter { $0 % 7 != 0 })
    }

    @Test(arguments: SQLEngine.allCases) func aReadSeesOneSnapshot(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        try await database.write { try $0.execute("INSERT INTO items (id) VALUES (1)") }
        let between = DispatchSemaphore(value: 0)
        let changed = DispatchSemaphore(value: 0)
        async let pair = database.read { transaction in
            let before = try transaction.query("SELECT id FROM items").count
            between.signal()
            changed.wait()
            return (before, try transaction.query("SELECT id FROM items").count)
        }
        await Task.detached { wait(between) }.value
        try await database.write { try $0.execute("INSERT INTO items (id) VALUES (2)") }
        changed.signal()
        #expect(try await pair == (1, 1))
        #expect(try await count(database) == 2)
    }

    @Test(arguments: SQLEngine.allCases) func aChangedTableIsSeenByPreparedStatements(_ engine: SQLEngine) async throws
    {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        let other = try await engine.database(in: folder)
        let columns: @Sendable (Transaction) throws -> Int = {
            try $0.query("SELECT * FROM items").first?.columns.count ?? 0
        }
        try await database.write { try $0.execute("INSERT INTO items (id) VALUES (1)") }
        for each in [database, other] {
            #expect(try await each.write(columns) == 6)
            #expect(try await each.read(columns) == 6)
        }
        try await database.write { try $0.script("ALTER TABLE items ADD COLUMN text2 TEXT") }
        for each in [database, other] {
            #expect(try await each.write(columns) == 7)
            #expect(try await each.read(columns) == 7)
        }
    }
}

/// Outside an asynchronous context, where waiting is allowed.
private func wait(_ semaphore: DispatchSemaphore) { semaphore.wait() }
