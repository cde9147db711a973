import Basics
import Columnar
import Features
import Foundation
import Inference
import Scoring
import TestSupport
import Testing

/// Spark gives the same table as this process does.
@Suite struct SparkScoringConformance {
    /// The Python of `scripts/setup-wheels serving`, which sees the Spark of `scripts/setup-spark`.
    private static func python(in folder: TemporaryFolder) throws -> String {
        let package = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let packages = "\(package)/.deps/spark/lib/python3.11/site-packages"
        let file = try folder.write(
            "#!/bin/sh\nPYTHONPATH='\(packages)' exec '\(package)/.deps/serving/bin/python' \"$@\"\n", to: "python")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file)
        return file
    }

    private func spark(
        _ model: ScoredModel, _ input: String, _ out: String, _ bench: ScoringBench,
        _ options: ScoringOptions
    ) async throws -> ScoringReport {
        let engine = SparkEngine(python: try Self.python(in: bench.folder), master: "local[2]")
        let secrets = SecretSource(environment: [:])
        return try await SparkScoring(
            model, from: try ScoringInput(input, query: nil, table: nil, secrets: secrets),
            to: try ScoringOutput(out, table: nil, secrets: secrets), options, on: engine, time: bench.time,
            random: SeededRandom(seed: 2)
        ).run()
    }

    @Test("10,000 rows of numbers", .timeLimit(.minutes(5)))
    func numbers() async throws {
        let bench = try ScoringBench()
        let columns = (0..<12).map {
            "CASE WHEN hash(range, \($0)) % 50 = 0 THEN NULL ELSE CAST(hash(range, \($0)) % 4001 AS FLOAT) / 1000 - 2 END AS f\($0)"
        }
        for part in 0..<2 {
            try await bench.parquet(
                """
                SELECT range AS id, 'n' || range AS note, [range] AS many, \(columns.joined(separator: ", "))
                FROM range(\(part * 5000), \((part + 1) * 5000))
                """, as: "in/\(part).parquet")
        }
        var options = ScoringOptions()
        options.features = (0..<12).map { "f\($0)" }
        options.batch = 700
        let chosen = options
        let model = try ScoringBench.load("mlp.onnx")
        try await bench.score(model, bench.folder("in"), bench.folder("ours")) { $0 = chosen }
        let report = try await spark(model, bench.folder("in"), bench.folder("theirs"), bench, options)
        #expect(report.rows == 10_000 && report.partitions > 0)
        try await expectEqual(bench)
        #expect(
            await bench.refusal {
                _ = try await spark(model, bench.folder("in"), bench.folder("theirs"), bench, options)
            }
            .contains("--overwrite"))
    }

    @Test("texts, maps of scores, and rows that do not fit", .timeLimit(.minutes(5)))
    func texts() async throws {
        let bench = try ScoringBench()
        try await bench.parquet(
            """
            SELECT range AS id, CASE range % 11 WHEN 0 THEN NULL WHEN 1 THEN 'JFK' WHEN 2 THEN 'LGA' ELSE 'EWR' END AS place,
              CASE WHEN range % 13 = 0 THEN 'late' ELSE CAST(range % 7 - 3 AS VARCHAR) END AS delay,
              CAST(range % 5 AS DECIMAL(9, 2)) AS wind FROM range(1000)
            """, as: "in.parquet")
        var options = ScoringOptions()
        options.onError = .null
        let model = try ScoringBench.load("pipeline.onnx")
        try await bench.score(model, bench.folder("in.parquet"), bench.folder("ours")) { $0.onError = .null }
        _ = try await spark(model, bench.folder("in.parquet"), bench.folder("theirs"), bench, options)
        try await expectEqual(bench)
        #expect(try await bench.count("SELECT * FROM '{theirs}/*.parquet' WHERE score_error IS NOT NULL") == 161)
        options.onError = .fail
        options.overwrite = true
        let strict = options
        let told = await bench.refusal {
            _ = try await spark(model, bench.folder("in.parquet"), bench.folder("theirs"), bench, strict)
        }
        #expect(told.contains("'place' is missing") || told.contains("the value of 'delay' is no FP32"), "\(told)")
    }

    /// The same columns of the same types, and the same rows but for the run and its time.
    private func expectEqual(_ bench: ScoringBench) async throws {
        let (ours, theirs) = ("'{ours}/*.parquet'", "'{theirs}/*.parquet'")
        func columns(_ place: String) async throws -> [String] {
            try await bench.lines(
                "SELECT column_name AS n, replace(column_type, ' WITH TIME ZONE', '') AS t FROM (DESCRIBE SELECT * FROM \(place))"
            )
        }
        #expect(try await columns(ours) == columns(theirs))
        #expect(try await bench.count("SELECT * FROM \(theirs)") == bench.count("SELECT * FROM \(ours)"))
        func rows(_ place: String) -> String { "SELECT COLUMNS(c -> c NOT IN ('run_id', 'scored_at')) FROM \(place)" }
        #expect(try await bench.count("(\(rows(ours))) EXCEPT ALL (\(rows(theirs)))") == 0)
    }
}
