import Basics
import Columnar
import Foundation
import Inference
import Scoring
import Synchronization
import TestSupport
import Testing

@Suite struct ScoringJobTests {
    @Test(
        "every row comes out once, whatever the cut of files, partitions and batches",
        arguments: 0..<12 as Range<UInt64>)
    func everyRowOnce(seed: UInt64) async throws {
        let bench = try ScoringBench()
        let random = SeededRandom(seed: seed)
        func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
        var total = 0
        for file in 0..<1 + below(3) {
            let rows = below(9000)
            try await bench.parquet(
                """
                SELECT CAST(range + \(total) AS BIGINT) AS id, CAST(hash(range + \(total)) % 1000 AS INTEGER) AS a,
                  CAST(hash(range + \(total + 7)) % 1000 AS FLOAT) / 8 AS b, 'text ' || range AS note,
                  CASE WHEN range % 5 = 0 THEN NULL ELSE CAST(range AS DOUBLE) END AS c FROM range(\(rows))
                """, as: "in/\(file).parquet")
            total += rows
        }
        let model = LinearModel(["a", "b", "c"])
        let isFile = seed % 2 == 0
        let report = try await bench.score(
            model.scored, bench.folder("in"), bench.folder(isFile ? "out.parquet" : "out")
        ) { options in
            options.batch = 1 + below(5000)
            options.threads = 1 + below(3)
            options.partitions = .rows(500 + below(6000))
        }
        let out = isFile ? "'{out.parquet}'" : "'{out}/part-*.parquet'"
        #expect(report.rows == Int64(total) && report.scored == Int64(total) && report.refused == 0)
        #expect(try await bench.count("SELECT * FROM \(out)") == total)
        let wrong = try await bench.lines(
            """
            SELECT i.id, o.total FROM '{in}/*.parquet' AS i FULL JOIN \(out) AS o USING (id)
            WHERE o.total IS DISTINCT FROM (i.a + 2 * CAST(i.b AS DOUBLE) + 3 * i.c) OR o.note IS DISTINCT FROM i.note
              OR o.count != 2 + CAST(i.c IS NOT NULL AS INTEGER) OR o.model_name != 'linear' OR o.model_version != '7'
              OR o.run_id != '\(report.run)' OR o.scored_at != TIMESTAMP '2023-11-14 22:13:20'
            LIMIT 5
            """)
        #expect(wrong == [])
        #expect(try await bench.count("SELECT DISTINCT id FROM \(out)") == total)
        #expect(model.batches.max() ?? 0 <= max(16, model.batches.first ?? 0, 5000))
    }

    @Test("a job that ended early goes on where whole partitions are")
    func resumes() async throws {
        let bench = try ScoringBench()
        let rows = try await bench.parquet("SELECT range AS id, range AS x1 FROM range(1000)", as: "rows.parquet")
        func score(_ model: LinearModel) async throws -> ScoringReport {
            try await bench.score(model.scored, rows, bench.folder("out")) {
                $0.partitions = .rows(100)
                $0.batch = 50
                $0.mapping = ["a": "x1"]
            }
        }
        // One run to see the answers' form, and then two for each partition.
        await #expect(throws: LinearFailed.self) { _ = try await score(LinearModel(["a"], runsMax: 9)) }
        let parts = try FileManager.default.contentsOfDirectory(atPath: bench.folder("out")).filter {
            $0.hasSuffix(".parquet")
        }
        #expect((1...4).contains(parts.count))
        let first = try await bench.lines("SELECT DISTINCT run_id FROM '{out}/part-*.parquet'")
        let again = try await score(LinearModel(["a"]))
        #expect(again.resumed == parts.count && again.scored == Int64(1000 - 100 * parts.count))
        #expect(first == [#"{"run_id":"\#(again.run)"}"#])
        #expect(
            try await bench.lines(
                "SELECT count(*) AS n, count(DISTINCT id) AS d, sum(total) AS s FROM '{out}/*.parquet'")
                == [#"{"n":1000,"d":1000,"s":499500.0}"#])
        // Nothing is left to do, and nothing is done.
        let model = LinearModel(["a"])
        let third = try await score(model)
        #expect(third.resumed == 10 && third.scored == 0 && third.run == again.run && model.batches == [16])
    }

    @Test("another input, model or choice is refused, and --overwrite replaces")
    func otherRun() async throws {
        let bench = try ScoringBench()
        let rows = try await bench.parquet("SELECT range AS a FROM range(10)", as: "rows.parquet")
        let (out, model) = (bench.folder("out"), LinearModel(["a"]))
        try await bench.score(model.scored, rows, out)
        let refused = await bench.refusal {
            _ = try await bench.score(model.scored, rows, out) { $0.keep = .columns([]) }
        }
        #expect(refused.contains("another choice of columns to keep") && refused.contains("--overwrite"))
        try await bench.parquet("SELECT range AS a FROM range(7)", as: "rows.parquet")
        #expect(
            await bench.refusal { _ = try await bench.score(model.scored, rows, out) }.contains("with another input"))
        let other = ScoredModel(name: "linear", version: "8", digest: Digest(of: "8"), model)
        #expect(await bench.refusal { _ = try await bench.score(other, rows, out) }.contains("another input, model"))
        try await bench.score(other, rows, out) { $0.overwrite = true }
        #expect(try await bench.count("SELECT * FROM '{out}/*.parquet' WHERE model_version = '8'") == 7)
        #expect(try await bench.count("SELECT * FROM '{out}/*.parquet'") == 7)
        // What no run has written is not touched unasked.
        try await bench.parquet("SELECT 1 AS mine", as: "theirs/part-00000.parquet")
        try await bench.parquet("SELECT 1 AS mine", as: "mine.parquet")
        for place in ["theirs", "mine.parquet"] {
            let told = await bench.refusal { _ = try await bench.score(model.scored, rows, bench.folder(place)) }
            #expect(told.contains("no scoring run is known"), "\(place)")
        }
        try await bench.score(model.scored, rows, bench.folder("mine.parquet")) { $0.overwrite = true }
        #expect(try await bench.count("SELECT total FROM '{mine.parquet}'") == 7)
    }

    @Test("two processes do not write one output")
    func busy() async throws {
        let bench = try ScoringBench()
        let rows = try await bench.parquet("SELECT range AS a FROM range(100)", as: "rows.parquet")
        let inner = Mutex("")
        try await bench.score(
            LinearModel(["a"]).scored, rows, bench.folder("out"),
            progress: { progress in
                // The lock is this run's from its first report on.
                let path = bench.folder("out") + "/_scoring/lock"
                let file = open(path, O_RDWR)
                defer { close(file) }
                inner.withLock { $0 = flock(file, LOCK_EX | LOCK_NB) == 0 ? "free" : "held" }
            })
        #expect(inner.withLock { $0 } == "held")
    }

    @Test func anEmptyTableGivesATableOfTheSameColumns() async throws {
        let bench = try ScoringBench()
        let rows = try await bench.parquet("SELECT range AS a, 'x' AS t FROM range(0)", as: "rows.parquet")
        for out in ["out", "out.parquet"] {
            let report = try await bench.score(LinearModel(["a"]).scored, rows, bench.folder(out))
            #expect(report.rows == 0 && report.partitions == 1)
        }
        for place in ["{out}/*.parquet", "{out.parquet}"] {
            let names = try await bench.lines("SELECT column_name FROM (DESCRIBE SELECT * FROM '\(place)')")
            #expect(
                names.map { $0.split(separator: "\"")[3] } == [
                    "a", "t", "total", "count", "model_name", "model_version", "run_id", "scored_at",
                ])
        }
    }
}
