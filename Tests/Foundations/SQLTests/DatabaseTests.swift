import Basics
import Engines
import Foundation
import SQL
import Telemetry
import TestSupport
import Testing

struct Refused: Error, Equatable {}

/// What every engine does alike.
@Suite struct DatabaseTests {
    @Test(arguments: SQLEngine.allCases) func changesAreCounted(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        let counts = try await database.write { transaction in
            [
                try transaction.execute("INSERT INTO items (id, number) VALUES (1, 1), (2, 2), (3, 3)"),
                try transaction.execute("UPDATE items SET number = number + 1 WHERE id > 1"),
                try transaction.execute("INSERT INTO items (id) VALUES (1) ON CONFLICT (id) DO NOTHING"),
                try transaction.execute(
                    """
                    INSERT INTO items (id, number) VALUES (1, 5)
                    ON CONFLICT (id) DO UPDATE SET number = items.number + excluded.number
                    """),
                try transaction.execute("CREATE TABLE more (id INTEGER PRIMARY KEY)"),
                try transaction.execute("SELECT id FROM items"),
                try transaction.execute("DELETE FROM items WHERE id < 3"),
            ]
        }
        #expect(counts == [3, 2, 0, 1, 0, 0, 2])
        let returned = try await database.write { transaction in
            try transaction.first("UPDATE items SET number = 9 WHERE id = 3 RETURNING number, id")?.integer("number")
        }
        #expect(returned == 9)
    }

    @Test(arguments: SQLEngine.allCases) func rowsAreStreamedAndStatementsNest(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        try await database.write { transaction in
            for index in 0..<1203 {
                try transaction.execute("INSERT INTO items (id, number) VALUES (?, ?)", [.init(index), .init(index)])
            }
        }
        let (sum, inner) = try await database.read { transaction in
            var sum: Int64 = 0
            var inner = 0
            try transaction.forEach("SELECT id, number FROM items WHERE number >= ? ORDER BY id", [.integer(1)]) {
                sum += try $0.integer("number")
                guard sum % 100 == 0 else { return }
                try transaction.forEach("SELECT id FROM items ORDER BY id LIMIT 600") { _ in inner += 1 }
            }
            return (sum, inner)
        }
        let expected = (1..<1203).reduce((0, 0)) { ($0.0 + $1, $0.1 + (($0.0 + $1) % 100 == 0 ? 600 : 0)) }
        #expect(sum == Int64(expected.0))
        #expect(inner == expected.1)
        let first = try await database.write { transaction -> Int64 in
            var found: Int64 = -1
            do {
                try transaction.forEach("SELECT id FROM items ORDER BY id") {
                    found = try $0.integer("id")
                    throw Refused()
                }
            } catch is Refused {}
            try transaction.execute("UPDATE items SET number = 0 WHERE id = 5")
            return found
        }
        #expect(first == 0)
    }

    @Test(arguments: SQLEngine.allCases) func wrongUseIsNamed(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        try await database.write { transaction in
            try transaction.execute("INSERT INTO items (id, name) VALUES (1, 'one')")
            let row = try #require(try transaction.first("SELECT id, name, real FROM items"))
            #expect(try row.string("name") == "one")
            #expect(try row.optionalDouble("real") == nil)
            #expect(throws: SQLFailure.columnType(name: "id", wanted: "text", found: "an integer")) {
                try row.string("id")
            }
            #expect(throws: SQLFailure.columnType(name: "real", wanted: "a number", found: "null")) {
                try row.double("real")
            }
            #expect(throws: SQLFailure.missingColumn(name: "x", available: ["id", "name", "real"])) {
                try row.integer("x")
            }
        }
        let wrong: [(String, FailureCode)] = [
            ("INSERT INTO items (id) VALUES (?)", .internal), ("DELETE FROM items; DELETE FROM items", .internal),
            ("", .internal), ("COMMIT", .internal), ("RELEASE change", .internal), ("SELEC 1", .internal),
            ("INSERT INTO items (id, name) VALUES (2, 'one')", .alreadyExists), ("SELECT x FROM nowhere", .internal),
            ("INSERT INTO items (id) VALUES (1)", .alreadyExists),
        ]
        for (sql, code) in wrong {
            await #expect("\(sql)") {
                try await database.write { transaction in
                    try transaction.execute("INSERT INTO items (id) VALUES (50)")
                    try transaction.execute(sql)
                }
            } throws: {
                ($0 as? SQLFailure)?.code == code
            }
        }
        await #expect(throws: SQLFailure.transactionControl(sql: "COMMIT")) {
            try await database.write { try $0.execute("COMMIT") }
        }
        await #expect(throws: SQLFailure.writeInRead(sql: "DELETE FROM items")) {
            try await database.read { try $0.execute("DELETE FROM items") }
        }
        #expect(try await count(database) == 1)
    }

    @Test(arguments: SQLEngine.allCases) func rulesOfTheSchemaAreNamed(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        try await database.write {
            try $0.script(
                """
                CREATE TABLE parts (
                  id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES items (id), n INTEGER CHECK (n > 0));
                CREATE TRIGGER parts_stay BEFORE DELETE ON parts BEGIN SELECT RAISE(ABORT, 'parts; they''re kept'); END;
                INSERT INTO items (id) VALUES (1);
                INSERT INTO parts (id, item, n) VALUES (1, 1, 1)
                """)
        }
        let broken: [(String, SQLFailure.Rule)] = [
            ("INSERT INTO parts (id, item) VALUES (2, 9)", .foreignKey),
            ("INSERT INTO parts (id) VALUES (2)", .notNull),
            ("INSERT INTO parts (id, item, n) VALUES (2, 1, 0)", .check),
            ("INSERT INTO parts (id, item) VALUES (1, 1)", .unique), ("DELETE FROM parts", .other),
        ]
        for (sql, rule) in broken {
            await #expect("\(sql)") {
                try await database.write { try $0.execute(sql) }
            } throws: {
                guard case .constraint(let found, let reason)? = $0 as? SQLFailure, found == rule else { return false }
                return rule != .other || reason == "parts; they're kept"
            }
        }
    }

    @Test(arguments: SQLEngine.allCases) func afterAFailedStatementNothingGoesOn(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        await #expect {
            try await database.write { transaction in
                try transaction.execute("INSERT INTO items (id) VALUES (1)")
                _ = try? transaction.execute("INSERT INTO items (id) VALUES (1)")
                #expect { try transaction.execute("INSERT INTO items (id) VALUES (2)") } throws: {
                    guard case .transactionFailed? = $0 as? SQLFailure else { return false }
                    return true
                }
            }
        } throws: {
            ($0 as? SQLFailure)?.code == .alreadyExists
        }
        #expect(try await count(database) == 0)
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

    @Test(arguments: SQLEngine.allCases) func whatItDoesIsCounted(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let metrics = MetricsRegistry()
        let database = try await engine.database(in: folder, metrics: metrics)
        try await database.write { try $0.execute("CREATE TABLE items (id INTEGER PRIMARY KEY)") }
        _ = try await count(database)
        let text = metrics.prometheusText()
        #expect(text.contains("modelworks_sql_writes_total{engine=\"\(engine)\"} 1"))
        #expect(text.contains("modelworks_sql_reads_total{engine=\"\(engine)\"} 1"))
        #expect(text.contains("modelworks_sql_commit_seconds_count{engine=\"\(engine)\"} 1"))
    }

    @Test(arguments: SQLEngine.allCases) func itsCheckTellsWhatItIs(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        for _ in 0..<2 {
            let check = try await database.check()
            #expect(check.engine.rawValue == engine.rawValue)
            #expect(check.version.first?.isNumber == true)
            #expect(check.latencySeconds < 1)
            #expect(check.warnings == [])
        }
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

    @Test(arguments: SQLEngine.allCases) func aSwallowedRollbackFailsTheChangeAndNotTheDatabase(_ engine: SQLEngine)
        async throws
    {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        await #expect(throws: SQLFailure.self) {
            try await database.write { transaction in
                try transaction.execute("INSERT INTO items (id) VALUES (1)")
                try transaction.script("ROLLBACK")
            }
        }
        try await database.write { try $0.execute("INSERT INTO items (id) VALUES (2)") }
        #expect(try await count(database) == 1)
    }

    @Test(arguments: SQLEngine.allCases) func whatWasAcknowledgedIsThereAfterReopening(_ engine: SQLEngine) async throws
    {
        let folder = try TemporaryFolder()
        let first = try await engine.items(in: folder)
        try await first.write { try $0.execute("INSERT INTO items (id) VALUES (1)") }
        await first.close()
        await #expect(throws: SQLFailure.closed(path: first.path)) { try await first.read { _ in } }
        await #expect(throws: SQLFailure.closed(path: first.path)) { try await first.write { _ in } }
        #expect(try await count(try await engine.database(in: folder)) == 1)
    }
}

/// Outside an asynchronous context, where waiting is allowed.
private func wait(_ semaphore: DispatchSemaphore) { semaphore.wait() }
