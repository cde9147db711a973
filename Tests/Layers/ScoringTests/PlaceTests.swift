import Basics
import Columnar
import Engines
import Foundation
import Inference
import ObjectStorage
import SQL
import Scoring
import TestSupport
import Testing

/// Rows from and to databases, object stores and files of all formats.
@Suite struct PlaceTests {
    @Test func rowsOfSQLiteComeAndGoOnceEach() async throws {
        let bench = try ScoringBench()
        let source = try await Database.open(at: bench.folder("in.db"))
        try await source.write { transaction in
            try transaction.execute("CREATE TABLE people (id INTEGER, age, note TEXT)")
            for id in 0..<100 {
                try transaction.execute(
                    "INSERT INTO people VALUES (?, ?, ?)",
                    [.init(id), id % 10 == 9 ? .null : id % 2 == 0 ? .init(id) : .double(Double(id)), .text("n\(id)")])
            }
        }
        let (input, output) = ("sqlite:\(bench.folder("in.db"))", "sqlite:\(bench.folder("out.db"))")
        func score(_ model: LinearModel, _ change: (inout ScoringOptions) -> Void = { _ in }) async throws
            -> ScoringReport
        {
            try await bench.score(
                model.scored, input, output, query: "SELECT id, age, note FROM people ORDER BY id;", table: "scores"
            ) {
                $0.partitions = .rows(10)
                change(&$0)
            }
        }
        await #expect(throws: LinearFailed.self) { _ = try await score(LinearModel(["age"], runsMax: 6)) }
        // What comes in meanwhile is for the next run: this one goes on with the rows it began with.
        try await source.write { try $0.execute("INSERT INTO people VALUES (1000, 1, 'late')") }
        let report = try await score(LinearModel(["age"]))
        #expect(report.resumed > 0 && report.rows == 100)
        let target = try await Database.open(at: bench.folder("out.db"))
        func rows(_ sql: String) async throws -> [String] {
            try await target.read { transaction in
                try transaction.query(sql).map { row in
                    try row.columns.map { "\(try row.value($0))" }.joined(separator: " ")
                }
            }
        }
        #expect(
            try await rows("SELECT count(*), count(DISTINCT id), count(DISTINCT run_id) FROM scores") == [
                "integer(100) integer(100) integer(1)"
            ])
        #expect(
            try await rows("SELECT id FROM scores WHERE total IS NOT CASE WHEN id % 10 = 9 THEN NULL ELSE id END") == []
        )
        #expect(
            try await rows("SELECT note, count, model_name, model_version, scored_at FROM scores WHERE id = 4") == [
                #"text("n4") integer(1) text("linear") text("7") text("2023-11-14T22:13:20Z")"#
            ])
        // Other rows are another run, whose rows are added; the same ones again are there already.
        let more = try await score(LinearModel(["age"]))
        #expect(more.run != report.run && more.rows == 101)
        #expect(try await score(LinearModel(["age"])).scored == 0)
        #expect(try await rows("SELECT count(*) FROM scores") == ["integer(201)"])
        // A run that did not end gives way only when that is asked for.
        try await source.write { try $0.execute("INSERT INTO people VALUES (1001, -1, 'bad')") }
        await #expect(throws: LinearFailed.self) { _ = try await score(LinearModel(["age"], runsMax: 6)) }
        let other = await bench.refusal { _ = try await score(LinearModel(["age"])) { $0.onError = .null } }
        #expect(other.contains("another treatment of errors"))
        let last = try await score(LinearModel(["age"], refusesNegative: true)) {
            $0.onError = .deadLetter
            $0.overwrite = true
        }
        #expect(last.refused == 1)
        #expect(try await rows("SELECT count(*) FROM scores") == ["integer(302)"])
        #expect(try await rows("SELECT id, input_row FROM scores_dead_letters") == ["integer(1001) integer(101)"])
        await target.close()
        await source.close()
    }

    @Test func rowsOfPostgreSQLComeAndGoOnceEach() async throws {
        let server = try await SharedPostgres.only.server()
        let bench = try ScoringBench(environment: ["PASSWORD": server.password])
        try server.query(
            """
            CREATE SCHEMA scoring; CREATE TABLE scoring.people AS SELECT id, id * 0.5::real AS a, (id % 3)::smallint AS b,
              'n' || id AS note, NULLIF(id, 7)::numeric(9, 2) AS c, id % 2 = 0 AS even, DATE '2020-01-01' + id AS day
            FROM generate_series(0, 99) AS id
            """)
        let address = "postgresql://works@127.0.0.1:\(server.port)/works?sslmode=disable&password_env=PASSWORD"
        let output = "\(address)&schema=scoring_out"
        func score(_ model: LinearModel) async throws -> ScoringReport {
            try await bench.score(
                model.scored, address, output, query: "SELECT * FROM scoring.people", table: "scores"
            ) { $0.partitions = .rows(10) }
        }
        await #expect(throws: LinearFailed.self) { _ = try await score(LinearModel(["a", "b", "c"], runsMax: 6)) }
        let report = try await score(LinearModel(["a", "b", "c"]))
        #expect(report.resumed > 0 && report.rows == 100)
        let found = try server.query(
            """
            SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || count(*) FILTER (WHERE total IS DISTINCT FROM
              id * 0.5 + 2 * (id % 3) + 3 * NULLIF(id, 7)) || ' ' || min(day) || ' ' || sum(even) FROM scoring_out.scores
            """)
        #expect("\(found)".contains("100 100 0 2020-01-01T00:00:00Z 50"))
        #expect(!"\(report)".contains(server.password))
        try server.query("DROP SCHEMA scoring CASCADE; DROP SCHEMA scoring_out CASCADE")
    }

    @Test func filesOfABucketAreScored() async throws {
        let bench = try ScoringBench(environment: ["KEY": "AKIDTEST", "SECRET": "sesame/+open"])
        let url = try await S3Server.shared().bucket()
        let files = try S3Files(url, environment: [:])
        for part in 0..<2 {
            let path = try await bench.parquet("SELECT range + \(part * 50) AS a FROM range(50)", as: "\(part).parquet")
            try await files.upload(Array(try Data(contentsOf: URL(fileURLWithPath: path))), to: "in/\(part).parquet")
        }
        let bucket = try #require(url.host)
        let settings = "?endpoint=\(try await S3Server.shared().endpoint)&access_key_env=KEY&secret_key_env=SECRET"
        try await bench.score(LinearModel(["a"]).scored, "s3://\(bucket)/in/\(settings)", bench.folder("out"))
        #expect(
            try await bench.lines("SELECT count(*) AS n, sum(total) AS s FROM '{out}/*.parquet' WHERE total = a")
                == [#"{"n":100,"s":4950.0}"#])
        await files.close()
    }

    @Test("files of every format, and queries over them")
    func formats() async throws {
        let bench = try ScoringBench()
        try bench.folder.write("a\tb\n1\t2\n3\t\n", to: "in.tsv")
        try bench.folder.write("{\"a\": 1, \"b\": 2}\n{\"a\": 3}\n", to: "in.jsonl")
        try bench.folder.write("a,b\n1,2\n", to: "csv/1.csv")
        try bench.folder.write("b,a\n,3\n", to: "csv/2.csv")
        try await bench.parquet("SELECT 1 AS a, 2 AS b", as: "mixed/1.parquet")
        try await bench.parquet("SELECT 3 AS a, NULL::VARCHAR AS b", as: "mixed/2.parquet")
        try await bench.parquet("SELECT 2 AS b", as: "hive/a=1/x.parquet")
        try await bench.parquet("SELECT NULL::INTEGER AS b", as: "hive/a=3/x.parquet")
        try await bench.parquet("SELECT 1 AS a, 2 AS b", as: "odd [1]*?.parquet")
        for (index, input) in ["in.tsv", "in.jsonl", "csv/*.csv", "mixed", "hive"].enumerated() {
            try await bench.score(LinearModel(["a", "b"]).scored, bench.folder(input), bench.folder("out\(index)"))
            #expect(
                try await bench.lines("SELECT total AS t FROM '{out\(index)}/*.parquet' ORDER BY a")
                    == [#"{"t":5.0}"#, #"{"t":null}"#], "\(input)")
        }
        try await bench.score(LinearModel(["a", "b"]).scored, bench.folder("odd [1]*?.parquet"), bench.folder("odd"))
        #expect(try await bench.count("SELECT * FROM '{odd}/*.parquet' WHERE total = 5") == 1)
        let query = "sql:SELECT a, b * 10 AS b FROM '\(bench.folder("mixed"))/1.parquet' -- all;"
        try await bench.score(LinearModel(["a", "b"]).scored, query, bench.folder("query"))
        #expect(try await bench.count("SELECT * FROM '{query}/*.parquet' WHERE total = 41") == 1)
        for (input, wanted) in [
            ("none.parquet", "none.parquet"), ("nothing/*.csv", "nothing"), ("sql:SELECT nothing", "nothing"),
            ("sqlite:none.db", "which rows are meant"),
        ] {
            let told = await bench.refusal {
                _ = try await bench.score(LinearModel(["a"]).scored, input, bench.folder("no"))
            }
            #expect(told.contains(wanted), "\(told)")
        }
    }
}
