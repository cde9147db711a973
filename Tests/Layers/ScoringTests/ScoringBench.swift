import Basics
import Columnar
import Datasets
import Foundation
import Inference
import Scoring
import TestSupport

/// A folder with tables to score, an engine to make and to read them with, and a clock of its own.
struct ScoringBench {
    let folder: TemporaryFolder
    let engine: ColumnarEngine
    let time = ManualTime(Timestamp(microseconds: 1_700_000_000_000_000))
    private let random = SeededRandom(seed: 1)
    let environment: [String: String]

    init(environment: [String: String] = [:]) throws {
        folder = try TemporaryFolder()
        engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: folder("spill")))
        self.environment = environment
    }

    /// Files of the models that `Tests/InferenceTests` asks.
    static func fixture(_ name: String) -> String {
        let tests = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(tests)/InferenceTests/Fixtures/\(name)"
    }

    static func load(_ name: String) throws -> ScoredModel {
        try ScoredModel(path: fixture(name), options: ModelOptions())
    }

    /// Writes rows into a Parquet file of the folder.
    @discardableResult
    func parquet(_ query: String, as name: String) async throws -> String {
        let path = folder(name)
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try await engine.writeParquet(query: query, to: path)
        return path
    }

    @discardableResult
    func score(
        _ model: ScoredModel, _ input: String, _ output: String, query: String? = nil, table: String? = nil,
        _ change: (inout ScoringOptions) -> Void = { _ in },
        progress: @escaping @Sendable (ScoringJob.Progress) -> Void = { _ in }
    ) async throws -> ScoringReport {
        var options = ScoringOptions()
        change(&options)
        let secrets = SecretSource(environment: environment)
        return try await ScoringJob(
            model, from: try ScoringInput(input, query: query, table: nil, secrets: secrets),
            to: try ScoringOutput(output, table: table, secrets: secrets), options, stateFolder: folder("state"),
            environment: environment, time: time, random: random
        ).run(progress: progress)
    }

    /// The rows of a query as lines of JSON, where `{name}` stands for a file of the folder.
    func lines(_ query: String) async throws -> [String] {
        let text = query.replacing("{", with: "\(folder.path)/").replacing("}", with: "")
        let rows = try await engine.query("SELECT CAST(to_json(row) AS VARCHAR) AS line FROM (\(text)) AS row")
        return try rows.strings("line").map { $0 ?? "" }
    }

    func count(_ query: String) async throws -> Int {
        let text = query.replacing("{", with: "\(folder.path)/").replacing("}", with: "")
        let rows = try await engine.query("SELECT CAST(count(*) AS BIGINT) AS n FROM (\(text)) AS row")
        return Int(try rows.integers("n").first.flatMap { $0 } ?? -1)
    }

    /// What an error says.
    func refusal(_ body: () async throws -> Void) async -> String {
        do {
            try await body()
            return "nothing was refused"
        } catch {
            return "\(error)"
        }
    }
}
