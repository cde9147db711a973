import Basics
import Engines
import SQL
import TestSupport
import Testing

/// Values, types and order are the same on every engine.
@Suite struct ValueTests {
    @Test(arguments: SQLEngine.allCases) func valuesComeBackAsTheyWere(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        let doubles: [Double] = [
            0.1, -.infinity, .infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .pi, -1e300, 5, 0,
            Double(bitPattern: 0x3FF0_0000_0000_0001), 123_456_789_012_345_680,
        ]
        let values: [(column: String, value: SQLValue)] =
            [
                ("number", .null), ("number", .integer(.min)), ("number", .integer(.max)), ("text", .text("")),
                ("text", .text("é🛫\n'\\\"$1 ?")), ("blob", .blob([])), ("blob", .blob([0, 255, 7])),
                ("number", .init(Timestamp(microseconds: -5))), ("text", .text("\\x41")),
            ] + doubles.map { ("real", .double($0)) }
        try await database.write { transaction in
            for (index, (column, value)) in values.enumerated() {
                try transaction.execute("INSERT INTO items (id, \(column)) VALUES (?, ?)", [.init(index), value])
            }
        }
        for (index, (column, value)) in values.enumerated() {
            let found = try await database.read {
                try $0.first("SELECT \(column) AS v FROM items WHERE id = ?", [.init(index)])?.value("v")
            }
            #expect(found == value)
        }
    }

    @Test(arguments: SQLEngine.allCases) func randomDoublesComeBackBitForBit(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        let random = SeededRandom(seed: 5)
        let numbers = (0..<500).map { _ in Double(bitPattern: random.next()) }.filter { !$0.isNaN }
        try await database.write { transaction in
            for (index, number) in numbers.enumerated() {
                try transaction.execute("INSERT INTO items (id, real) VALUES (?, ?)", [.init(index), .double(number)])
            }
        }
        let found = try await database.read { transaction in
            try transaction.query("SELECT real FROM items ORDER BY id").map { try $0.double("real").bitPattern }
        }
        #expect(found == numbers.map(\.bitPattern))
    }

    @Test(arguments: SQLEngine.allCases) func whatOneEngineCanNotKeepNoEngineTakes(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        for value in [SQLValue.double(.nan), .text("a\0b")] {
            await #expect {
                try await database.write { try $0.execute("INSERT INTO items (id, text) VALUES (1, ?)", [value]) }
            } throws: {
                ($0 as? SQLFailure)?.code == .invalidArgument
            }
        }
        for sql in ["INSERT OR IGNORE INTO items (id) VALUES (1)", "REPLACE INTO items (id) VALUES (1)"] {
            await #expect(throws: SQLFailure.self) { try await database.write { try $0.execute(sql) } }
        }
        try await database.write { try $0.execute("INSERT INTO items (id, real) VALUES (1, ?)", [.double(-0.0)]) }
        let zero = try await database.read { try $0.first("SELECT real FROM items")?.double("real").bitPattern }
        #expect(zero == 0)
    }

    @Test(arguments: SQLEngine.allCases) func expressionsHaveTheSameTypes(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await engine.items(in: folder)
        let texts = ["b", "B", "a", "é", "Z", "_", "aa", "~"]
        try await database.write { transaction in
            for (index, text) in texts.enumerated() {
                try transaction.execute(
                    "INSERT INTO items (id, name, number, real) VALUES (?, ?, ?, ?)",
                    [.init(index), .text(text), .init(index * 2), .double(0.5)])
            }
        }
        let row = try #require(
            try await database.read {
                try $0.first(
                    """
                    SELECT count(*) AS n, sum(number) AS whole, sum(real) AS part, avg(number) AS mean,
                      max(name) AS last, ? AS given, CAST(? AS REAL) AS real, max(number) > 3 AS yes, -- a ? here
                      'a ? there' AS "what?", coalesce(max(text), '-') AS none
                    FROM items WHERE number < ? OR id = ? /* ? */
                    """, [.integer(7), .double(0.1), .integer(100), .init(3)])
            })
        #expect(try row.integer("n") == 8)
        #expect(try row.value("whole") == .integer(56))
        #expect(try row.value("part") == .double(4))
        #expect(try row.value("mean") == .double(7))
        #expect(try row.string("last") == "é")
        #expect(try row.value("given") == .integer(7))
        #expect(try row.value("real") == .double(0.1))
        #expect(try row.bool("yes"))
        #expect(try row.string("what?") == "a ? there")
        #expect(try row.string("none") == "-")
        let order = try await database.read {
            try $0.query("SELECT name FROM items ORDER BY name").map { try $0.string("name") }
        }
        #expect(order == texts.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) })
    }
}
