import Basics
import Configuration
import Datasets
import Features
import Foundation
import Inference
import Scoring
import Synchronization

/// Scores a table with a model, in this process or on Spark.
struct ScoreCommand: Command {
    let usage = Usage(
        name: "score", summary: "Score a table with a model, offline: partition by partition, resumable",
        positionals: ["MODEL"],
        options: [
            .init(
                name: "input", value: "SOURCE",
                help: "Parquet, CSV or JSON: file, folder or pattern, s3://…; 'sql:SELECT …'; or a database"),
            .init(name: "query", value: "SQL", help: "of a database (sqlite:FILE, postgresql://…): its rows"),
            .init(name: "input-table", value: "NAME", help: "of a database: all rows of a table"),
            .init(name: "input-format", value: "FORMAT", help: "csv, json or parquet (default: by the name)"),
            .init(
                name: "output", value: "PLACE",
                help: "a file .parquet, a folder, or a database; {date} is the day in UTC"),
            .init(name: "table", value: "NAME", help: "of a database: the table that rows are added to"),
            .init(name: "keep", value: "COLUMNS", help: "input columns the output has too (default: all)"),
            .init(name: "columns", value: "LIST", help: "model_column=table_column,… where names differ"),
            .init(name: "features", value: "LIST", help: "the columns of an input without names, in its order"),
            .init(name: "outputs", value: "LIST", help: "outputs of the model that are written (default: all)"),
            .init(name: "partitions", value: "N", help: "cut the rows into N partitions"),
            .init(
                name: "rows-per-partition", value: "N",
                help: "rows of a partition (default: 491,520; of a database 20,000)"),
            .init(name: "batch", value: "N", help: "rows the model is asked at a time (default: 4096)"),
            .init(name: "threads", value: "N", help: "batches in the model at a time (default: the cores)"),
            .init(
                name: "on-error", value: "fail|null|dead-letter",
                help: "rows that the model can not be asked (default: fail)"),
            .init(name: "memory", value: "SIZE", help: "for reading and writing tables (default: 1GiB)"),
            .init(name: "overwrite", value: nil, help: "replace the rows of another run"),
            .init(name: "engine", value: "local|spark", help: "where it runs (default: local)"),
            .init(
                name: "spark", value: "URL",
                help: "spark://HOST:PORT or 'spark:?master=local[2]&python=PATH' (default: local[*])"),
            .init(name: "emit", value: "DIR", help: "with spark: write the script and its job, and run nothing"),
        ],
        example: "modelworks score models:/churn@champion --input customers.parquet --output 'scores/{date}'")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        HeapSettings.forBatches()
        let options = try options(arguments)
        let secrets = SecretSource(environment: context.environment)
        guard let source = arguments.option("input"), let place = arguments.option("output") else {
            throw UsageError("'modelworks score' needs --input SOURCE and --output PLACE")
        }
        let input = try input(source, arguments, secrets)
        let output = try ScoringOutput(
            place.replacing("{date}", with: SystemTime().now.day), table: arguments.option("table"), secrets: secrets
        ).absolute(context)
        let model = try await ScoreModel(arguments.required(0), threads: options.threads).load(arguments, context)
        guard try isOnSpark(arguments) else {
            let job = ScoringJob(
                model, from: input, to: output, options, stateFolder: "\(context.root(arguments))/scoring",
                environment: context.environment, time: SystemTime(), random: SystemRandom())
            let meter = ScoringMeter(context)
            let report = try await job.run { meter.show($0) }
            meter.finish(report)
            return try told(report)
        }
        let job = try SparkScoring(
            model, from: input.absolute(context), to: output, options, on: try spark(arguments, secrets),
            time: SystemTime(), random: SystemRandom())
        if let folder = arguments.option("emit").map(context.absolute) { return try await emit(job, to: folder) }
        return try told(try await job.run())
    }

    private func options(_ arguments: Arguments) throws -> ScoringOptions {
        var options = ScoringOptions()
        if let keep = arguments.list("keep"), keep != ["all"] { options.keep = .columns(keep.filter { !$0.isEmpty }) }
        for pair in arguments.list("columns") ?? [] {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let name = parts.first, let column = parts.last else {
                throw UsageError("'--columns' is a list of model_column=table_column, and '\(pair)' is none")
            }
            options.mapping[name] = column
        }
        options.features = arguments.list("features")
        options.outputs = arguments.list("outputs")
        switch (arguments.option("partitions"), arguments.option("rows-per-partition")) {
        case (nil, nil): break
        case (_?, nil): options.partitions = .count(try arguments.integer("partitions", default: 1, in: 1...1_000_000))
        case (nil, _?):
            options.partitions = .rows(try arguments.integer("rows-per-partition", default: 1, in: 1...1_000_000_000))
        default: throw UsageError("either --partitions or --rows-per-partition is given, not both")
        }
        options.batch = try arguments.integer("batch", default: options.batch, in: 1...1_000_000)
        options.threads = try arguments.integer(
            "threads", default: ProcessInfo.processInfo.activeProcessorCount, in: 1...1024)
        if let word = arguments.option("on-error") {
            guard let choice = ScoringOptions.OnError(rawValue: word) else {
                throw UsageError("'--on-error' must be fail, null or dead-letter")
            }
            options.onError = choice
        }
        if let size = arguments.option("memory") { options.memoryBytes = try bytes(size) }
        options.overwrite = arguments.flag("overwrite")
        return options
    }

    private func bytes(_ size: String) throws -> Int64 {
        guard let bytes = ConfigurationMapping.bytes(of: size).flatMap({ Int64(exactly: $0) }), bytes >= 64 << 20 else {
            throw UsageError("'--memory' must be a size of at least 64MiB, such as 2GiB")
        }
        return bytes
    }

    private func input(_ source: String, _ arguments: Arguments, _ secrets: SecretSource) throws -> ScoringInput {
        let input = try ScoringInput(
            source, query: arguments.option("query"), table: arguments.option("input-table"), secrets: secrets)
        guard let word = arguments.option("input-format") else { return input }
        guard let format = TableDefinition.FileFormat(rawValue: word) else {
            throw UsageError("'--input-format' must be csv, json or parquet")
        }
        guard case .files(var origin) = input else {
            throw UsageError("'--input-format' goes with files, and '\(source)' names none")
        }
        origin.format = format
        return .files(origin)
    }

    private func isOnSpark(_ arguments: Arguments) throws -> Bool {
        switch arguments.option("engine") ?? "local" {
        case "local":
            guard arguments.option("emit") == nil, arguments.option("spark") == nil else {
                throw UsageError("'--spark' and '--emit' go with '--engine spark'")
            }
            return false
        case "spark": return true
        default: throw UsageError("'--engine' must be local or spark")
        }
    }

    private func spark(_ arguments: Arguments, _ secrets: SecretSource) throws -> SparkEngine {
        let text = arguments.option("spark") ?? "spark:?master=local[*]"
        // Brackets, as Spark's own addresses have them, are written out in a URL.
        let url = text.replacing("[", with: "%5B").replacing("]", with: "%5D")
        guard case .spark(let engine) = try OfflineEngine(StoreURL(url, secrets: secrets)) else {
            throw UsageError("'--spark' must be the address of a cluster, such as spark://host:7077")
        }
        return engine
    }

    private func emit(_ job: SparkScoring, to folder: String) async throws -> Output {
        let order = try JSON.pretty(try await job.job()) + "\n"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(SparkScoring.script).write(to: URL(fileURLWithPath: "\(folder)/score_spark.py"), options: .atomic)
            try Data(order.utf8).write(to: URL(fileURLWithPath: "\(folder)/job.json"), options: .atomic)
        } catch {
            throw CommandFailure(.unavailable, "the folder \(folder) can not be written", remedy: "Check --emit.")
        }
        return Output(
            document: ["script": .string("\(folder)/score_spark.py"), "job": .string("\(folder)/job.json")],
            text: "Run it: spark-submit \(folder)/score_spark.py \(folder)/job.json")
    }

    private func told(_ report: ScoringReport) throws -> Output {
        let rate = Numbers.significantCount(report.rowsPerSecond)
        var text = "\(Numbers.grouped(Int(clamping: report.rows))) rows are in \(report.output), run \(report.run)"
        text += report.scored == report.rows ? ", \(rate) rows/s." : ". This call: \(report.scored) rows, \(rate)/s."
        if report.refused > 0 { text += "\n\(report.refused) rows could not be scored." }
        if report.notNumbers > 0 { text += "\n\(report.notNumbers) predictions were no numbers, and are null." }
        return Output(document: try JSON.value(report), text: text)
    }
}

/// Shows how many rows are done, how fast, and how long it will take.
private final class ScoringMeter: Sendable {
    private let environment: [String: String]
    private let state = Mutex<(bar: ProgressBar?, before: Int64)>((nil, 0))

    init(_ context: Context) { environment = context.environment }

    func show(_ progress: ScoringJob.Progress) {
        state.withLock { state in
            guard let bar = state.bar else {
                let output = DescriptorOutput(2)
                let bar = ProgressBar(
                    "score", total: Int(clamping: progress.rows - progress.done), unit: "rows", output: output,
                    style: Style(for: output, environment: environment),
                    nanoseconds: { SystemTime.monotonicNanoseconds })
                if progress.done > 0 { bar.note("\(progress.done) rows were there") }
                state = (bar, progress.done)
                return
            }
            bar.set(Int(clamping: progress.done - state.before))
        }
    }

    func finish(_ report: ScoringReport) {
        state.withLock { $0.bar }?.finish("\(report.partitions - report.resumed) of \(report.partitions) partitions")
    }
}

extension ScoringInput {
    /// Paths that another program reads are told in full.
    fileprivate func absolute(_ context: Context) -> ScoringInput {
        guard case .files(var origin) = self, !origin.isRemote else { return self }
        origin.path = context.absolute(origin.path)
        return .files(origin)
    }
}

extension ScoringOutput {
    fileprivate func absolute(_ context: Context) -> ScoringOutput {
        guard case .parquet(let path) = self else { return self }
        return .parquet(context.absolute(path))
    }
}
