import Basics
import Foundation
import SQL
import TestSupport
import Testing

struct Refused: Error, Equatable {}

@Suite struct DatabaseTests {
    private func open(_ folder: TemporaryFolder) async throws -> Database {
        let database = try await Database.open(at: folder("works.db"))
        try await database.write {
            try $0.script("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT UNIQUE, value)")
        }
        return database
    }

    private func count(_ database: Database) async throws -> Int64 {
        try await database.read { try $0.first("SELECT count(*) AS n FROM items")?.integer("n") ?? -1 }
    }

    @Test func valuesComeBackAsTheyWere() async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await open(folder)
        let values: [SQLValue] = [
            .null, .integer(.min), .integer(.max), .double(0.1), .double(-.infinity), .text(""), .text("a\0b é🛫"),
            .blob([]), .blob([0, 255, 7]), .init(Timestamp(microseconds: -5)),
        ]
        try await database.write { transaction in
            for (index, value) in values.enumerated() {
                try transaction.execute("INSERT INTO items (id, value) VALUES (?, ?)", [.init(index), value])
            }
        }
        let found = try await database.read { try $0.query("SELECT value FROM items ORDER BY id").map { $0.values[0] } }
        #expect(found == values)
    }

    @Test func wrongUseIsNamed() async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await open(folder)
        try await database.write { transaction in
            try transaction.execute("INSERT INTO items (id, name) VALUES (1, 'one')")
            let row = try #require(try transaction.first("SELECT id, name, value FROM items"))
            #expect(try row.string("name") == "one")
            #expect(try row.optionalDouble("value") == nil)
            #expect(throws: SQLFailure.columnType(name: "id", wanted: "text", found: "an integer")) {
                try row.string("id")
            }
            #expect(throws: SQLFailure.columnType(name: "value", wanted: "a number", found: "null")) {
                try row.double("value")
            }
            #expect(throws: SQLFailure.missingColumn(name: "x", available: ["id", "name", "value"])) {
                try row.integer("x")
            }
            #expect(throws: SQLFailure.self) { try transaction.execute("INSERT INTO items (id) VALUES (?)") }
            #expect(throws: SQLFailure.self) { try transaction.execute("DELETE FROM items; DELETE FROM items") }
            #expect(throws: SQLFailure.self) { try transaction.execute("") }
            #expect(throws: SQLFailure.transactionControl(sql: "COMMIT")) { try transaction.execute("COMMIT") }
            #expect(throws: SQLFailure.transactionControl(sql: "RELEASE change")) {
                try transaction.execute("RELEASE change")
            }
            #expect(throws: SQLFailure.self) { try transaction.execute("UPDATE items SET value = ?", [.double(.nan)]) }
            #expect { try transaction.execute("INSERT INTO items (name) VALUES ('one')") } throws: {
                ($0 as? SQLFailure)?.code == .alreadyExists
            }
        }
        await #expect(throws: SQLFailure.writeInRead(sql: "DELETE FROM items")) {
            try await database.read { try $0.execute("DELETE FROM items") }
        }
        #expect(try await count(database) == 1)
    }

    @Test func twoHundredWritersEachKeepTheirOwnOutcome() async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await open(folder)
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

    @Test func aReadSeesOneSnapshot() async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await open(folder)
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

    @Test func aSwallowedRollbackFailsTheChangeAndNotTheDatabase() async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await open(folder)
        await #expect(throws: SQLFailure.self) {
            try await database.write { transaction in
                try transaction.execute("INSERT INTO items (id) VALUES (1)")
                try transaction.script("ROLLBACK")
            }
        }
        try await database.write { try $0.execute("INSERT INTO items (id) VALUES (2)") }
        #expect(try await count(database) == 1)
    }

    @Test func whatWasAcknowledgedIsThereAfterReopening() async throws {
        let folder = try TemporaryFolder()
        let first = try await open(folder)
        try await first.write { try $0.execute("INSERT INTO items (id) VALUES (1)") }
        await first.close()
        await #expect(throws: SQLFailure.closed(path: folder("works.db"))) { try await first.read { _ in } }
        await #expect(throws: SQLFailure.closed(path: folder("works.db"))) { try await first.write { _ in } }
        #expect(try await count(try await Database.open(at: folder("works.db"))) == 1)
    }

    @Test func otherFilesAndFoldersAreRefused() async throws {
        let folder = try TemporaryFolder()
        await #expect { _ = try await Database.open(at: folder("none/works.db")) } throws: {
            ($0 as? SQLFailure)?.code == .failedPrecondition
        }
        try Data(repeating: 65, count: 8192).write(to: URL(fileURLWithPath: folder("text.db")))
        await #expect { _ = try await Database.open(at: folder("text.db")) } throws: {
            ($0 as? SQLFailure)?.code == .dataLoss
        }
    }

    @Test func anotherHolderOfTheLockIsNamed() async throws {
        let folder = try TemporaryFolder()
        let first = try await open(folder)
        let held = DispatchSemaphore(value: 0)
        let release = DispatchSemaphore(value: 0)
        async let holding: Void = first.write { _ in
            held.signal()
            release.wait()
        }
        await Task.detached { wait(held) }.value
        await #expect(throws: SQLFailure.locked(path: folder("works.db"))) {
            _ = try await Database.open(at: folder("works.db"), busyMilliseconds: 10)
        }
        release.signal()
        try await holding
    }

    @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs is not permitted"))
    func aFullDiskIsNamedAndLeavesTheDatabaseUsable() async throws {
        let disk = try SmallDisk(kilobytes: 1024)
        let database = try await Database.open(at: "\(disk.path)/works.db")
        try await database.write { try $0.script("CREATE TABLE items (id INTEGER PRIMARY KEY, value BLOB)") }
        try await database.write { try $0.execute("INSERT INTO items (id, value) VALUES (1, x'01')") }
        await #expect(throws: SQLFailure.diskFull(path: "\(disk.path)/works.db")) {
            try await database.write {
                try $0.execute("INSERT INTO items (value) VALUES (?)", [.blob([UInt8](repeating: 7, count: 2 << 20))])
            }
        }
        try await database.write { try $0.execute("INSERT INTO items (id, value) VALUES (2, x'02')") }
        #expect(try await count(database) == 2)
    }
}

/// Outside an asynchronous context, where waiting is allowed.
private func wait(_ semaphore: DispatchSemaphore) { semaphore.wait() }
