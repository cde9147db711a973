import Basics
import Foundation
import Testing

@testable import Columnar

/// A folder for one test, removed with it.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "columnar-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func engine(memory: Int64 = 512 << 20, spill: Int64? = nil) -> ColumnarEngine {
        ColumnarEngine(
            ColumnarOptions(memoryLimitBytes: memory, temporaryDirectory: file("spill"), spillLimitBytes: spill))
    }
}

@Suite struct ColumnarTests {
    let scratch: Scratch
    let engine: ColumnarEngine

    init() throws {
        scratch = try Scratch()
        engine = scratch.engine()
    }

    @Test func theLibraryHasParquetJSONAndTimeZones() async throws {
        let table = try await engine.query(
            "SELECT TIMESTAMP '2013-03-10 01:30:00' AT TIME ZONE 'America/New_York' AS before, "
                + "TIMESTAMP '2013-03-10 03:30:00' AT TIME ZONE 'America/New_York' AS after, "
                + "json_extract('{\"a\": [1, 2]}', '$.a[1]')::INT AS json, current_setting('TimeZone') AS zone")
        #expect(try table.timestamps("before") == [Timestamp("2013-03-10T06:30:00Z")])
        #expect(try table.timestamps("after") == [Timestamp("2013-03-10T07:30:00Z")])
        #expect(try table.value("json") == 2)
        #expect(try table.value("zone") == "UTC")
    }

    @Test func everyTypeComesBackOverManyChunksWithNulls() async throws {
        let table = try await engine.query(
            """
            SELECT i AS n,
                CASE WHEN i % 7 = 0 THEN NULL ELSE i % 2 = 0 END AS b,
                CASE WHEN i % 7 = 1 THEN NULL ELSE i::TINYINT END AS i8,
                CASE WHEN i % 7 = 2 THEN NULL ELSE i::INTEGER END AS i32,
                CASE WHEN i % 7 = 3 THEN NULL ELSE i * 1000000007 END AS i64,
                CASE WHEN i % 7 = 4 THEN NULL ELSE (i / 8.0)::FLOAT END AS f32,
                CASE WHEN i % 7 = 5 THEN NULL ELSE i / 3.0::DOUBLE END AS f64,
                CASE WHEN i % 7 = 6 THEN NULL WHEN i % 2 = 0 THEN 's' || i ELSE 'a text of more than twelve bytes ' || i END
                    AS s,
                CASE WHEN i % 7 = 0 THEN NULL ELSE TIMESTAMP '2013-01-01' + to_seconds(i) END AS t,
                CASE WHEN i % 7 = 1 THEN NULL ELSE DATE '1969-12-31' + (i % 3)::INT END AS d,
                CASE WHEN i % 7 = 2 THEN NULL ELSE (i / 100)::DECIMAL(12, 2) END AS dec,
                CASE WHEN i % 7 = 3 THEN NULL ELSE i::HUGEINT END AS huge,
                CASE WHEN i % 7 = 4 THEN NULL ELSE i::UBIGINT END AS u64,
                CASE WHEN i % 7 = 5 THEN NULL ELSE (['low', 'high'])[1 + i % 2]::ENUM('low', 'high') END AS e
            FROM (SELECT (r % 100)::BIGINT AS i, r FROM range(10000) AS t(r)) ORDER BY r
            """)
        #expect(table.rowCount == 10_000)
        let doubles = try table.doubles("f64")
        let strings = try table.strings("s")
        for row in stride(from: 0, to: 10_000, by: 1) {
            let i = Int64(row % 100)
            let expected: [(String, ColumnarValue)] = [
                ("b", i % 7 == 0 ? .null : .bool(i % 2 == 0)), ("i8", i % 7 == 1 ? .null : .integer(i)),
                ("i32", i % 7 == 2 ? .null : .integer(i)), ("i64", i % 7 == 3 ? .null : .integer(i * 1_000_000_007)),
                ("f32", i % 7 == 4 ? .null : .double(Double(i) / 8)),
                ("t", i % 7 == 0 ? .null : .timestamp(Timestamp(seconds: 1_356_998_400 + i))),
                ("d", i % 7 == 1 ? .null : .timestamp(Timestamp(seconds: 86_400 * (i % 3 - 1)))),
                ("dec", i % 7 == 2 ? .null : .double(Double(i) / 100)), ("huge", i % 7 == 3 ? .null : .integer(i)),
                ("u64", i % 7 == 4 ? .null : .integer(i)),
                ("e", i % 7 == 5 ? .null : .string(i % 2 == 0 ? "low" : "high")),
            ]
            for (name, value) in expected {
                let found = try table.value(name, row)
                if found != value { Issue.record("\(name)[\(row)] is \(found), not \(value)") }
            }
            #expect(i % 7 == 5 ? doubles[row].isNaN : doubles[row] == Double(i) / 3)
            #expect(
                strings[row] == (i % 7 == 6 ? nil : i % 2 == 0 ? "s\(i)" : "a text of more than twelve bytes \(i)"))
        }
    }

    @Test func textsOfEveryLengthSurvive() async throws {
        let table = try await engine.query("SELECT repeat('é', r::INT) AS s FROM range(5000) AS t(r) ORDER BY r")
        let texts = try table.strings("s")
        for length in [0, 1, 5, 6, 7, 12, 13, 2047, 2048, 4999] {
            #expect(texts[length] == String(repeating: "é", count: length))
        }
    }

    @Test func anEmptyResultKeepsItsColumns() async throws {
        let table = try await engine.query("SELECT 1 AS a, 'x' AS b, now() AS c WHERE false")
        #expect(table.names == ["a", "b", "c"])
        #expect(table.rowCount == 0)
        #expect(try table.strings("b") == [])
        #expect(try await engine.query("CREATE TABLE nothing (a INT)").rowCount == 0)
    }

    @Test func parametersKeepTheirTypes() async throws {
        let table = try await engine.query(
            "SELECT $1::BOOLEAN AS b, $2::BIGINT AS i, $3::DOUBLE AS d, $4::VARCHAR AS s, $5::TIMESTAMP AS t, $6::INT AS n",
            [true, .integer(.max), 0.1, "it's; -- 'fine' é", .timestamp(Timestamp(microseconds: -1)), nil])
        #expect(try table.value("b") == true)
        #expect(try table.value("i") == .integer(.max))
        #expect(try table.value("d") == 0.1)
        #expect(try table.value("s") == "it's; -- 'fine' é")
        #expect(try table.value("t") == .timestamp(Timestamp(microseconds: -1)))
        #expect(try table.value("n") == nil)
    }

    @Test func aHundredThousandAppendedRowsComeBack() async throws {
        let count = 100_000
        let flags = (0..<count).map { $0 % 11 != 0 }
        let stamps = (0..<count).map { Int64($0) * 1_000_003 }
        let table = try Table([
            (
                "s",
                .strings(nullable: (0..<count).map { $0 % 5 == 0 ? nil : $0 % 5 == 1 ? "" : "number \($0) of many" })
            ),
            ("b", Column(.bools((0..<count).map { $0 % 3 == 0 }), validity: flags)),
            ("i", Column(.int64s((0..<count).map(Int64.init)), validity: flags)),
            ("j", Column(.int32s((0..<count).map(Int32.init)), validity: flags)),
            ("f", Column(.float32s((0..<count).map { Float($0) / 4 }), validity: flags)),
            ("d", .doubles(nullingNaN: (0..<count).map { $0 % 13 == 0 ? .nan : Double($0) / 7 })),
            ("t", Column(.timestamps(stamps), validity: flags)), ("z", Column(.timestamps(stamps))),
        ])
        try await engine.execute(
            "CREATE TABLE target (z TIMESTAMPTZ, extra INT DEFAULT 7, d DOUBLE, f FLOAT, i BIGINT, j INT, b BOOLEAN, "
                + "t TIMESTAMP, s VARCHAR)")
        try await engine.append(table, to: "target")
        let back = try await engine.query("SELECT * FROM target ORDER BY z")
        #expect(back.rowCount == count)
        #expect(try back.integers("extra").allSatisfy { $0 == 7 })
        for name in ["s", "b", "i", "j", "f", "t", "z"] {
            let (left, right) = (try table.column(name), try back.column(name))
            #expect(left.nullCount == right.nullCount)
            #expect((0..<count).allSatisfy { left[$0] == right[$0] }, "\(name)")
        }
        let (before, after) = (try table.doubles("d"), try back.doubles("d"))
        #expect(zip(before, after).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
    }

    @Test func aRefusedAppendAddsNothing() async throws {
        try await engine.execute("CREATE TABLE strict (a INT)")
        let good = (0..<5000).map { "\($0)" }
        await #expect(throws: ColumnarFailure.self) {
            try await self.engine.append(Table([("a", .strings(good + ["x"]))]), to: "strict")
        }
        await #expect(throws: ColumnarFailure.self) {
            try await self.engine.append(Table([("b", .int64s([1]))]), to: "strict")
        }
        #expect(try await engine.query("SELECT count(*) AS n FROM strict").value("n") == 0)
    }

    @Test(.timeLimit(.minutes(1))) func aCancelledAppendAddsNothingAndLeavesNoTransactionOpen() async throws {
        let connection = try engine.connect()
        try connection.execute("CREATE TABLE many (a BIGINT)")
        let table = try Table([("a", .int64s(Array(0..<1_000_000)))])
        let thread = BlockingThread(name: "test")
        // Again and again, so that one is under way when the cancellation comes, however late this task gets its turn.
        async let outcome = thread.run { Result { while true { try connection.append(table, to: "many") } } }
        let deadline = SystemTime.monotonicNanoseconds + 20_000_000_000
        while !connection.isRunning, SystemTime.monotonicNanoseconds < deadline { await Task.yield() }
        connection.cancel()
        let result = try await outcome
        #expect(throws: CancellationError.self) { try result.get() }
        connection.rearm()
        try connection.execute("BEGIN; COMMIT")
        #expect(try connection.query("SELECT count(*) % 1000000 AS n FROM many").value("n") == 0)
    }

    @Test func nanInParquetIsFoundDespiteStatistics() async throws {
        let path = scratch.file("nan.parquet")
        let values = (0..<50_000).map { $0 % 10_000 == 77 ? Double.nan : Double($0) }
        try await engine.store(Table([("x", .doubles(values))]), as: "raw")
        try await engine.writeParquet(query: "SELECT x FROM raw;", to: path)
        let sql = "SELECT x FROM read_parquet(\(SQLText.literal(path))) WHERE isnan(x)"
        #expect(try await engine.query(sql).rowCount == 5)
    }

    @Test func parquetAppearsWholeOrNotAtAll() async throws {
        let path = scratch.file("it's.parquet")
        #expect(try await engine.writeParquet(query: "SELECT 1 AS a -- why", to: path) == 1)
        await #expect(throws: ColumnarFailure.self) {
            try await self.engine.writeParquet(
                query: "SELECT CASE WHEN r = 299999 THEN error('bad row')::INT ELSE 1 END FROM range(300000) t(r)",
                to: path)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["it's.parquet"])
        #expect(try await engine.query("FROM \(SQLText.literal(path))").value("a") == 1)
    }

    @Test func streamingSeesEveryRowOnce() async throws {
        let total = Total()
        try await engine.stream("SELECT r FROM range(300000) t(r)", batch: 50_000) { table in
            guard case .int64s(let values) = try table.column("r").values else { return }
            total.add(values)
        }
        #expect(total.sum == 299_999 * 150_000)
        #expect(total.tables >= 5 && total.tables <= 6)
    }

    @Test(.timeLimit(.minutes(1))) func aStreamThatIsGivenUpLeavesTheConnectionUsable() async throws {
        struct Enough: Error {}
        await #expect(throws: Enough.self) {
            try await self.engine.stream("SELECT r FROM range(100000000000) t(r)") { _ in throw Enough() }
        }
        #expect(try await engine.query("SELECT 1 AS a").value("a") == 1)
    }

    @Test(.timeLimit(.minutes(1))) func cancellingATaskInterruptsItsQuery() async throws {
        let task = Task { [engine] in
            try await engine.query("SELECT count(*) FROM range(100000000000) a WHERE hash(a.range) = 1")
        }
        await Task.yield()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await engine.query("SELECT 1 AS a").value("a") == 1)
    }

    @Test(.timeLimit(.minutes(1))) func aRunningQueryIsInterruptedAndItsConnectionStaysUsable() async throws {
        let connection = try engine.connect()
        let thread = BlockingThread(name: "test")
        async let outcome = thread.run {
            Result { try connection.query("SELECT count(*) FROM range(100000000000) a WHERE hash(a.range) = 1") }
        }
        let deadline = SystemTime.monotonicNanoseconds + 20_000_000_000
        while !connection.isRunning, SystemTime.monotonicNanoseconds < deadline { await Task.yield() }
        connection.cancel()
        let result = try await outcome
        #expect(throws: CancellationError.self) { try result.get() }
        connection.rearm()
        #expect(try connection.query("SELECT 2 AS a").value("a") == 2)
    }

    @Test(.timeLimit(.minutes(1))) func twoQueriesRunAtOnceAndManyWaitTheirTurn() async throws {
        let sums = try await withThrowingTaskGroup(of: Int64?.self) { group in
            for k in Int64(0)..<20 {
                group.addTask { [engine] in
                    try await engine.query("SELECT sum(r * $1)::BIGINT AS s FROM range(10000) t(r)", [.integer(k)])
                        .integers("s").first.flatMap { $0 }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(sums) == Set((Int64(0)..<20).map { $0 * 49_995_000 }))
    }
}

final class Total: @unchecked Sendable {
    private let lock = NSLock()
    private var state = (sum: Int64(0), tables: 0)
    var sum: Int64 { lock.withLock { state.sum } }
    var tables: Int { lock.withLock { state.tables } }

    func add(_ values: [Int64]) {
        lock.withLock {
            state.sum += values.reduce(0, +)
            state.tables += 1
        }
    }
}
