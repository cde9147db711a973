import Basics
import Columnar
import Datasets
import Features
import Foundation
import Inference

/// Scores Parquet files with an ONNX model on Spark, for what outgrows one machine: the same columns, values and stamps as
/// a ``ScoringJob`` gives. The script `score_spark.py` is part of this program and may be run by `spark-submit` as well.
public struct SparkScoring: Sendable {
    /// What the script is told.
    public struct Job: Sendable, Encodable {
        struct Input: Sendable, Encodable {
            struct Column: Sendable, Encodable {
                var column: String
                var missing: Bool
            }

            var name: String
            var datatype: TensorType
            var width: Int?
            var list: Bool
            var columns: [Column]
        }

        struct Output: Sendable, Encodable {
            struct Column: Sendable, Encodable {
                var name: String
                var type: String
            }

            var name: String
            var columns: [Column]
        }

        var model: String
        var name: String
        var version: String
        public fileprivate(set) var run: String
        var paths: [String]
        var inputs: [Input]
        var outputs: [Output]
        var keep: [String]
        var onError: ScoringOptions.OnError
        var batch: Int
        var out: String
        var settings: [String: String]

        enum CodingKeys: String, CodingKey {
            case model, name, version, run, paths, inputs, outputs, keep, batch, out, settings
            case onError = "on_error"
        }
    }

    /// The script, as `spark-submit` takes it.
    public static var script: [UInt8] { PackageResources.score_spark_py }

    private let scored: ScoredModel
    private let origin: FileOrigin
    private let output: String
    private let options: ScoringOptions
    private let spark: SparkEngine
    private let time: any TimeSource
    private let random: any RandomSource

    /// - Throws: ``ScoringFailure/spark(_:remedy:)`` for what Spark is not asked for.
    public init(
        _ scored: ScoredModel, from input: ScoringInput, to output: ScoringOutput, _ options: ScoringOptions,
        on spark: SparkEngine, time: any TimeSource, random: any RandomSource
    ) throws {
        guard let file = scored.file, file.lowercased().hasSuffix(".onnx") else {
            throw ScoringFailure.spark("Spark scores ONNX files alone", remedy: "Export the model as ONNX.")
        }
        guard case .files(let origin) = input, origin.format == .parquet, !origin.isRemote else {
            throw ScoringFailure.spark(
                "Spark scores Parquet files under a path that all its machines see",
                remedy: "Copy the rows there first.")
        }
        guard case .parquet(let path) = output, !ParquetSink.isFile(path) else {
            throw ScoringFailure.spark("Spark writes a folder of Parquet files", remedy: "Name a folder.")
        }
        guard options.onError != .deadLetter else {
            throw ScoringFailure.spark("Spark keeps no dead letters", remedy: "Use --on-error null.")
        }
        self.scored = scored
        self.origin = origin
        self.output = path
        self.options = options
        self.spark = spark
        self.time = time
        self.random = random
    }

    /// What the script is told of this job. The model is asked for a few rows, to see what its answers are.
    /// - Throws: ``ScoringFailure``, `DatasetsFailure`, `ColumnarFailure`.
    public func job() async throws -> Job {
        let (origin, scored, names) = (origin, scored, options.outputs)
        let paths = try await BlockingThread(name: "scoring.files").run { try FilesAtHand.paths(of: origin) }
        guard let first = paths.first else { throw ScoringFailure.badInput(origin.path, reason: "there is no file") }
        let engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: NSTemporaryDirectory()))
        let columns = try await TableColumn.of(
            "SELECT * FROM read_parquet([\(SQLText.literal(first.readAsItStands))], hive_partitioning = false)", engine,
            context: first)
        let rows = try await PartitionedRows.of([first], columns: columns, engine)
        let binding = try ModelBinding(scored, to: columns, options)
        let layout = try await engine.run { connection in
            try PartitionScorer.layout(scored, binding, rows, names, on: connection)
        }
        let plan = ScoringRun.Plan(
            input: origin.path, inputDigest: scored.digest, rows: rows.rowCount, partitionRows: 0, model: scored.name,
            version: scored.version, modelDigest: scored.digest, keep: options.keep, features: [], predictions: [],
            onError: options.onError)
        let run = ScoringRun(id: random.identifier(at: time.now), plan: plan, started: time.now)
        let queries = try ScoringQueries(rows: rows, run: run, layout: layout)
        var taken = 0
        let outputs = zip(layout.wanted, layout.widths).map { index, width in
            defer { taken += width }
            return Job.Output(
                name: scored.model.outputs[index].name,
                columns: layout.columns[taken..<taken + width].map { .init(name: $0.name, type: $0.sqlType) })
        }
        return Job(
            model: scored.file ?? "", name: scored.name, version: scored.version, run: run.id, paths: paths,
            inputs: binding.inputs.map { input in
                Job.Input(
                    name: input.spec.name, datatype: input.spec.datatype, width: input.width, list: input.isList,
                    columns: input.readings.map { .init(column: $0.column.name, missing: $0.takesMissing) })
            }, outputs: outputs, keep: queries.kept, onError: options.onError, batch: options.batch, out: output,
            settings: spark.settings)
    }

    /// Runs the job. Spark writes the folder whole or not at all.
    /// - Throws: ``ScoringFailure/foreignOutput(_:)``, `FeaturesFailure`, and what ``job()`` throws.
    public func run() async throws -> ScoringReport {
        guard options.overwrite || !FileManager.default.fileExists(atPath: output) else {
            throw ScoringFailure.foreignOutput(output)
        }
        let begun = time.now
        let job = try await job()
        let said = try await spark.run(
            script: Self.script, told: job, workingFile: "\(NSTemporaryDirectory())/score-\(random.identifier())")
        struct Answer: Decodable { var rows: Int64 }
        let last = said.split(separator: "\n").last.map(String.init) ?? ""
        let rows = try JSON.decode(Answer.self, from: last).rows
        let seconds = max(1e-6, Double(time.now.microseconds - begun.microseconds) / 1e6)
        return ScoringReport(
            run: job.run, output: output, model: scored.name, version: scored.version, rows: rows, scored: rows,
            refused: 0, notNumbers: 0, partitions: parts, resumed: 0, seconds: seconds,
            rowsPerSecond: Double(rows) / seconds)
    }

    private var parts: Int {
        ((try? FileManager.default.contentsOfDirectory(atPath: output)) ?? []).filter { $0.hasSuffix(".parquet") }.count
    }
}
