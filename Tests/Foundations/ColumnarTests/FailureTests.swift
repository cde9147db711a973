import Basics
import Foundation
import Testing

@testable import Columnar

@Suite struct ColumnarFailureTests {
    let scratch: Scratch
    let engine: ColumnarEngine

    init() throws {
        scratch = try Scratch()
        engine = scratch.engine()
    }

    private func failure(_ sql: String, _ parameters: [ColumnarValue] = [], context: String? = nil) async throws
        -> ColumnarFailure
    {
        do {
            _ = try await engine.query(sql, parameters, context: context)
        } catch let failure as ColumnarFailure {
            return failure
        }
        Issue.record("'\(sql)' did not fail")
        return ColumnarFailure(.internal, "nothing failed")
    }

    @Test func aSyntaxErrorNamesTheFileAndTheLine() async throws {
        let failure = try await failure("SELECT 1 AS a\nFORM x", context: "features/carrier.sql")
        #expect(failure.code == .invalidArgument)
        #expect(
            failure.message
                == "features/carrier.sql: Parser Error: syntax error at or near \"FORM\" (line 2: FORM x)")
        #expect(failure.message.hasPrefix("features/carrier.sql: "))
    }

    @Test func anUnknownColumnShowsCandidates() async throws {
        try await engine.execute("CREATE TABLE flights (carrier VARCHAR)")
        let failure = try await failure("SELECT carier FROM flights", context: "q.sql")
        #expect(failure.message.contains("Referenced column \"carier\" not found"))
        #expect(failure.remedy?.contains("carrier") == true)
    }

    @Test func filesThatAreMissingOrCutAreNamed() async throws {
        let gone = try await failure("FROM '\(scratch.file("gone.parquet"))'")
        #expect(gone.code == .notFound)
        #expect(gone.message.contains("gone.parquet"))

        let path = scratch.file("cut.parquet")
        try await engine.writeParquet(query: "SELECT r FROM range(100000) t(r)", to: path)
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: path))
        let cut = try await failure("FROM '\(path)'")
        #expect(cut.code == .dataLoss)
        #expect(cut.message.contains("cut.parquet"))

        let csv = scratch.file("bad.csv")
        try Data("a,b\n1,2\nx,3\n".utf8).write(to: URL(fileURLWithPath: csv))
        let bad = try await failure("FROM read_csv('\(csv)', columns = {'a': 'INT', 'b': 'INT'}, header = true)")
        #expect(bad.message.contains("Line: 3"))
        #expect(bad.message.contains("bad.csv"))
    }

    @Test func typesWithoutACounterpartSayWhatToWrite() async throws {
        for (type, sql) in [
            ("LIST", "[1]"), ("STRUCT", "{'a': 1}"), ("INTERVAL", "to_days(1)"), ("TIME", "TIME '01:00'"),
        ] {
            let failure = try await failure("SELECT \(sql) AS \"a b\"")
            #expect(failure.message == "column 'a b' has the type \(type), which tables do not hold")
            #expect(failure.remedy == "Write CAST(\"a b\" AS VARCHAR) in the query.")
        }
        for sql in ["18446744073709551615::UBIGINT", "(1::HUGEINT << 100)", "1234567890123456789.12::DECIMAL(38, 2)"] {
            let failure = try await failure("SELECT \(sql) AS x")
            #expect(
                failure.message == "column 'x' holds a number in row 0 that no 64-bit type represents exactly")
            #expect(failure.remedy == "Write CAST(\"x\" AS DOUBLE) in the query.")
        }
    }

    @Test func wrongUseIsToldApart() async throws {
        #expect(try await failure("").message == "the SQL holds no statement")
        #expect(try await failure("SELECT 1 AS a, 2 AS a").message == "two columns are named 'a'")
        #expect(try await failure("SELECT ?", []).message == "the SQL takes 1 parameters and 0 were given")
        #expect(try await failure("SELECT 'a\0b'").message == "the SQL holds a zero byte")
        #expect(try await failure("SELECT 1; SELECT $1", [1]).code == .invalidArgument)
        let table = try await engine.query("SELECT 'x' AS s, 1 AS i")
        #expect(throws: ColumnarFailure.self) { try table.doubles("s") }
        #expect(throws: ColumnarFailure.self) { try table.column("nope") }
        #expect(throws: ColumnarFailure.self) { try Column(.int64s([1]), validity: [true, false]) }
    }

    @Test func noExtensionIsFetched() async throws {
        let failure = try await failure("SELECT * FROM postgres_scan('a', 'b', 'c')")
        #expect(failure.message.contains("postgres_scan"))
    }

    @Test func noSpaceToSpillIsAClearError() async throws {
        let tight = scratch.engine(memory: 64 << 20, spill: 16 << 20)
        do {
            try await tight.execute(
                "CREATE TABLE big AS SELECT md5(r::VARCHAR) || md5((r + 1)::VARCHAR) AS s FROM range(3000000) t(r)")
            Issue.record("the query fitted")
        } catch let failure as ColumnarFailure {
            #expect(failure.code == .resourceExhausted)
            #expect(failure.remedy != nil)
        }
        #expect(try await tight.query("SELECT 1 AS a").value("a") == 1)
    }

    @Test func badSQLNeverCrashes() async throws {
        var random = SystemRandomNumberGenerator()
        let words = [
            "SELECT", "FROM", "(", ")", "'", "\"", ";", ",", "range(3)", "1", "NULL", "CAST", "AS", "WITH", "--", "$1",
            "é",
        ]
        for _ in 0..<500 {
            let sql = (0..<Int.random(in: 0..<12, using: &random)).map { _ in words.randomElement(using: &random) ?? ""
            }
            _ = try? await engine.query(sql.joined(separator: " "))
        }
        #expect(try await engine.query("SELECT 1 AS a").value("a") == 1)
    }

    @Test func quotingHoldsAgainstEveryName() async throws {
        for name in ["a\"b", "select", "é \u{301}", "x'; DROP TABLE t; --", "\"\u{301}"] {
            let table = try await engine.query(
                "SELECT \(SQLText.literal(name)) AS \(SQLText.identifier(name))")
            #expect(table.names == [name])
            #expect(try table.value(name) == .string(name))
        }
    }
}
