import Basics
import Foundation
import Inference
import Scoring
import TestSupport
import Testing

/// What is written, what is refused, and what 8-bit numbers are let through.
@Suite struct EdgeExportTests {
    private static let columns = (0..<12).map { "c\($0)" }

    /// Rows for the network of fixtures, with the class it gives them as a label.
    private func labelled(_ bench: ScoringBench, rows: Int) async throws -> String {
        let values = Self.columns.map { "(random() - 0.5) * 4 AS \($0)" }.joined(separator: ", ")
        try await bench.parquet("SELECT \(values) FROM (SELECT setseed(0.25)), range(\(rows))", as: "in.parquet")
        try await bench.score(
            try ScoringBench.load("mlp.onnx"), bench.folder("in.parquet"), bench.folder("out.parquet")
        ) {
            $0.features = Self.columns
        }
        return try await bench.parquet(
            """
            SELECT * EXCLUDE (probabilities_0, probabilities_1, probabilities_2), CASE
            WHEN probabilities_0 >= greatest(probabilities_1, probabilities_2) THEN 0
            WHEN probabilities_1 >= probabilities_2 THEN 1 ELSE 2 END AS class FROM '\(bench.folder("out.parquet"))'
            """, as: "examples.parquet")
    }

    private func left(_ bench: EdgeBench) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: bench.folder.path).filter { $0.hasPrefix("edge") }
    }

    @Test func writesAFolderThatStandsAlone() async throws {
        let bench = try EdgeBench()
        let report = try await bench.export("beside/model.onnx")
        #expect(report.folder == bench.folder("edge"))
        #expect(try left(bench) == ["edge"])
        let names = try FileManager.default.contentsOfDirectory(atPath: bench.folder("edge")).sorted()
        #expect(names == ["README.md", "example.jsonl", "lib", "manifest.json", "model", "score"])
        let libraries = try FileManager.default.contentsOfDirectory(atPath: bench.folder("edge/lib"))
        #expect(libraries.contains("libonnxruntime.so") && libraries.contains("libstdc++.so.6"))
        #expect(!libraries.contains { $0.hasPrefix("libc.") || $0.hasPrefix("lib_lightgbm") })
        let manifest = try bench.manifest()
        #expect(manifest.files.keys.sorted() == ["model.onnx", "weights.bin"])
        let model = try Data(contentsOf: URL(fileURLWithPath: ScoringBench.fixture("beside/model.onnx")))
        #expect(manifest.files["model.onnx"]?.sha256 == Digest(of: [UInt8](model)).hex)
        // Of both files, the model's own without a name.
        func digest(_ name: String) throws -> Digest {
            try #require(manifest.files[name].flatMap { Digest($0.sha256) })
        }
        let digests = ["": try digest("model.onnx"), "weights.bin": try digest("weights.bin")]
        #expect(manifest.source.digest == Digest(of: try JSON.canonical(digests)))
        #expect(report.runnerBytes > 100_000)
        #expect(report.bytes > report.libraryBytes + report.runnerBytes + report.modelBytes)
        // It may lie anywhere.
        try FileManager.default.moveItem(atPath: bench.folder("edge"), toPath: bench.folder("other"))
        try FileManager.default.createSymbolicLink(
            atPath: bench.folder("edge"), withDestinationPath: bench.folder("other"))
        #expect(try bench.score("", "--bench", "5").code == 0)
    }

    @Test func examplesNameColumnsAndGiveTheExample() async throws {
        let (tables, bench) = (try ScoringBench(), try EdgeBench())
        let rows = try await tables.parquet("SELECT 1.5 AS x0, 2 AS x1, NULL::DOUBLE AS x2", as: "rows.parquet")
        try await bench.export("lightgbm/binary.txt")
        let names = try bench.manifest().inputs.first?.columns ?? []
        let table = try await tables.parquet(
            "SELECT \(names.map { "1.5 AS \"\($0)\"" }.joined(separator: ", "))", as: "table.parquet")
        try await bench.export("lightgbm/binary.txt") {
            $0.overwrite = true
            $0.examples = try ScoringInput(table, query: nil, table: nil, secrets: SecretSource(environment: [:]))
        }
        let example = try String(contentsOfFile: bench.folder("edge/example.jsonl"), encoding: .utf8)
        #expect(example.contains("1.5"))
        let failure = await tables.refusal {
            try await bench.export("lightgbm/binary.txt") {
                $0.overwrite = true
                $0.examples = try ScoringInput(rows, query: nil, table: nil, secrets: SecretSource(environment: [:]))
            }
        }
        #expect(failure.contains("no such column"))
    }

    @Test func leavesNothingHalfWritten() async throws {
        let (tables, bench) = (try ScoringBench(), try EdgeBench())
        let missing = await tables.refusal {
            try await bench.export("mlp.onnx") { $0.runner = "/nowhere/modelworks-edge" }
        }
        #expect(missing.contains("/nowhere/modelworks-edge is not there") && missing.contains("make build"))
        // A runner that fails at its example.
        let broken = try bench.folder.write("#!/bin/sh\n[ \"$1\" = --libraries ] && exit 0\nexit 9\n", to: "broken")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: broken)
        let failed = await tables.refusal { try await bench.export("mlp.onnx") { $0.runner = broken } }
        #expect(failed.contains("does not score its example: code 9"))
        #expect(try left(bench).isEmpty)
        let python = await tables.refusal { try await bench.export("python/linear") }
        #expect(python.contains("run by Python") || python.contains("no model file"), "\(python)")
        #expect(try left(bench).isEmpty)
    }

    @Test func replacesAFolderOnlyWhenTold() async throws {
        let (tables, bench) = (try ScoringBench(), try EdgeBench())
        try await bench.export("mlp.onnx")
        try bench.folder.write("mine", to: "edge/notes")
        let refusal = await tables.refusal { try await bench.export("lightgbm/binary.txt") }
        #expect(refusal.contains("is there already") && refusal.contains("--overwrite"))
        #expect(FileManager.default.fileExists(atPath: bench.folder("edge/notes")))
        try await bench.export("lightgbm/binary.txt") { $0.overwrite = true }
        #expect(!FileManager.default.fileExists(atPath: bench.folder("edge/notes")))
        #expect(try bench.manifest().runtime == .lightGBM)
        #expect(try left(bench) == ["edge"])
    }

    @Test(
        "8-bit numbers that cost little are kept", .enabled(if: EdgeBench.python != nil),
        arguments: EdgeQuantization.allCases)
    func accepts(method: EdgeQuantization) async throws {
        let (tables, bench) = (try ScoringBench(), try EdgeBench())
        let rows = try await labelled(tables, rows: 3000)
        let report = try await bench.export("mlp.onnx") {
            $0.quantization = method
            $0.python = EdgeBench.python ?? ""
            $0.examples = try ScoringInput(rows, query: nil, table: nil, secrets: SecretSource(environment: [:]))
            $0.label = "class"
            $0.scoring.features = Self.columns
            $0.maxLoss = 0.2
        }
        let judgement = try #require(try bench.manifest().quantization)
        #expect(report.folder != nil && judgement.isAccepted)
        #expect(judgement.measure == .accuracy && judgement.examples == 3000)
        #expect(judgement.fp32.quality == 1)
        #expect(judgement.int8.quality > 0.8 && judgement.int8.quality < 1)
        #expect(abs(judgement.loss - (1 - judgement.int8.quality)) < 1e-12)
        #expect(try bench.manifest().files["model.onnx"]?.bytes == judgement.int8.bytes)
        // Its answers are near, and not the same.
        let request = #"{"inputs":[{"name":"x","datatype":"FP32","shape":[1,12],"data":[1,-1,1,0,0.5,1,1,0,0,1,1,1]}]}"#
        let whole = try bench.score(request)
        try await bench.export("mlp.onnx") { $0.overwrite = true }
        let single = try bench.score(request)
        func scores(_ outcome: EdgeBench.Outcome) -> [Double] {
            (outcome.lines.first?["outputs"]?.array?.first?["data"]?.array ?? []).compactMap(\.double)
        }
        #expect(scores(whole) != scores(single) && scores(whole).count == 3)
        #expect(zip(scores(whole), scores(single)).allSatisfy { abs($0 - $1) < 0.2 })
    }

    @Test("8-bit numbers that cost too much are refused, with the evidence", .enabled(if: EdgeBench.python != nil))
    func refuses() async throws {
        let (tables, bench) = (try ScoringBench(), try EdgeBench())
        let rows = try await labelled(tables, rows: 3000)
        let report = try await bench.export("mlp.onnx") {
            $0.quantization = .dynamic
            $0.python = EdgeBench.python ?? ""
            $0.examples = try ScoringInput(rows, query: nil, table: nil, secrets: SecretSource(environment: [:]))
            $0.scoring.features = Self.columns
            $0.maxLoss = 0
        }
        let judgement = try #require(report.manifest.quantization)
        #expect(report.folder == nil && !judgement.isAccepted)
        #expect(judgement.measure == .agreement && judgement.loss > 0 && judgement.loss < 0.2)
        #expect(try left(bench).isEmpty)
        let trees = await tables.refusal {
            try await bench.export("lightgbm/binary.txt") {
                $0.quantization = .dynamic
                $0.examples = try ScoringInput(
                    "sql:SELECT 1 AS x", query: nil, table: nil, secrets: SecretSource(environment: [:]))
                $0.scoring.mapping = [:]
            }
        }
        #expect(trees.contains("no such column") || trees.contains("no weights to quantise"), "\(trees)")
        let alone = await tables.refusal { try await bench.export("mlp.onnx") { $0.quantization = .dynamic } }
        #expect(alone.contains("Give --examples"))
        let noPython = await tables.refusal {
            try await bench.export("mlp.onnx") {
                $0.quantization = .dynamic
                $0.python = "/usr/bin/false"
                $0.examples = try ScoringInput(rows, query: nil, table: nil, secrets: SecretSource(environment: [:]))
                $0.scoring.features = Self.columns
            }
        }
        #expect(noPython.contains("could not be quantised") && noPython.contains("pip install onnx"))
        #expect(try left(bench).isEmpty)
    }
}
