import Basics
import Configuration
import Foundation
import Scoring
import Works

/// `export edge`: a model with all it needs to score where there is no server.
struct ExportCommand: Command {
    let usage = Usage(
        name: "export", summary: "Write a model to a folder that scores by itself, without a server",
        positionals: ["edge", "MODEL"],
        options: [
            .init(name: "to", value: "DIR", help: "the folder that is written"),
            .init(name: "int8", value: nil, help: "make the model's numbers 8-bit, where --examples shows it may"),
            .init(name: "static", value: nil, help: "with --int8: take the ranges of numbers from the examples"),
            .init(name: "examples", value: "DATA", help: "rows the model is tried with: Parquet, CSV, 'sql:SELECT …'"),
            .init(name: "label", value: "COLUMN", help: "of the examples: what the answer should have been"),
            .init(name: "max-loss", value: "SHARE", help: "the largest loss that --int8 may cost (default: 0.01)"),
            .init(name: "output", value: "NAME", help: "the output that is judged (default: a class, else a score)"),
            .init(name: "columns", value: "LIST", help: "model_column=table_column,… where names differ"),
            .init(name: "features", value: "LIST", help: "names for an input without names, in its order"),
            .init(name: "calls", value: "N", help: "calls that are measured (default: 2000)"),
            .init(
                name: "python", value: "PATH",
                help: "with --int8: has onnx and onnxruntime (default: MODELWORKS_PYTHON, else python3)"),
            .init(name: "overwrite", value: nil, help: "replace the folder that is there"),
        ],
        example: "modelworks export edge churn.onnx --to device --int8 --examples rows.parquet --label churned")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        guard arguments.required(0) == "edge" else {
            throw UsageError("'modelworks export' knows no '\(arguments.required(0))'", remedy: "Use edge.")
        }
        guard let folder = arguments.option("to") else { throw UsageError("'modelworks export edge' needs --to DIR") }
        let reference = arguments.required(1)
        let options = try options(arguments, context)
        let (model, files) = try await ScoreModel(reference, threads: 1).files(arguments, context)
        let export = EdgeExport(
            model, files: files, reference: reference, options, environment: context.environment, time: SystemTime(),
            random: SystemRandom())
        let report = try await export.write(to: context.absolute(folder)) { step in
            FileHandle.standardError.write(Data("export: \(step)\n".utf8))
        }
        return Output(document: try JSON.value(report), text: text(report), good: report.folder != nil)
    }

    private func options(_ arguments: Arguments, _ context: Context) throws -> EdgeOptions {
        let beside = (context.executable as NSString).deletingLastPathComponent
        var options = EdgeOptions(
            runner: "\(beside)/modelworks-edge", program: "modelworks \(ProgramVersion.current)")
        options.scoring = try ScoreCommand.columns(arguments)
        options.examples = try arguments.option("examples").map {
            try ScoringInput($0, query: nil, table: nil, secrets: SecretSource(environment: context.environment))
        }
        options.label = arguments.option("label")
        options.output = arguments.option("output")
        if arguments.flag("int8") {
            options.quantization = arguments.flag("static") ? EdgeQuantization.static : .dynamic
        }
        guard options.quantization != nil || !arguments.flag("static") else {
            throw UsageError("'--static' goes with '--int8'")
        }
        guard options.quantization == nil || options.examples != nil else {
            throw UsageError(
                "'--int8' needs --examples DATA", remedy: "Without rows nothing tells what 8-bit numbers cost.")
        }
        guard options.label == nil || options.examples != nil else {
            throw UsageError("'--label' names a column of --examples")
        }
        if let text = arguments.option("max-loss") {
            guard let share = Double(text), share.isFinite, share >= 0 else {
                throw UsageError("'--max-loss' must be a share such as 0.01")
            }
            options.maxLoss = share
        }
        options.calls = try arguments.integer("calls", default: options.calls, in: 1...10_000_000)
        options.python = arguments.option("python") ?? context.environment["MODELWORKS_PYTHON"] ?? options.python
        options.overwrite = arguments.flag("overwrite")
        return options
    }

    private func text(_ report: EdgeReport) -> String {
        let manifest = report.manifest
        var lines: [String] = []
        if let judgement = manifest.quantization { lines += Self.lines(judgement) }
        guard let folder = report.folder else {
            let loss = manifest.quantization.map { Self.figure($0.loss) } ?? ""
            let most = manifest.quantization.map { Self.figure($0.maxLoss) } ?? ""
            lines.append(
                "Nothing was written: the loss of \(loss) is above \(most). Allow it with --max-loss, try --static, or"
                    + " leave --int8 out.")
            return lines.joined(separator: "\n")
        }
        let measured = manifest.measured
        lines.append(
            "\(manifest.name) \(manifest.version) is in \(folder): \(Self.size(report.bytes)), of which the model"
                + " \(Self.size(report.modelBytes)), libraries \(Self.size(report.libraryBytes)), the runner"
                + " \(Self.size(report.runnerBytes)).")
        lines.append(
            "One row takes \(Self.microseconds(measured.p50)) (p99 \(Self.microseconds(measured.p99)), p99.9"
                + " \(Self.microseconds(measured.p999))) on one thread of this machine, and at most"
                + " \(Numbers.fixed(measured.peakMemory, 0)) MiB.")
        lines.append("Try it: \(folder)/score \(folder)/example.jsonl")
        return lines.joined(separator: "\n")
    }

    private static func lines(_ judgement: EdgeJudgement) -> [String] {
        var table = TextTable([
            "model", "size", "p50", "p99", "p99.9", "processor", "memory", judgement.measure.rawValue,
        ])
        for (name, side) in [("fp32", judgement.fp32), ("int8", judgement.int8)] {
            let measured = side.measured
            table.add([
                name, size(side.bytes), microseconds(measured.p50), microseconds(measured.p99),
                microseconds(measured.p999), microseconds(measured.processor),
                "\(Numbers.fixed(measured.peakMemory, 1)) MiB", Numbers.fixed(side.quality, 5),
            ])
        }
        func signed(_ share: Double) -> String { (share < 0 ? "" : "+") + Numbers.percent(share) }
        return [
            table.rendered(),
            "int8 against fp32 on \(judgement.examples) examples: latency \(signed(judgement.latencyChange)), processor"
                + " time \(signed(judgement.processorChange)), size \(signed(judgement.sizeChange)), loss of"
                + " \(judgement.measure.rawValue) \(figure(judgement.loss)). A common rule of thumb says"
                + " latency +15%, cost -40%.",
        ]
    }

    private static func figure(_ share: Double) -> String { String(format: "%.3g", share) }

    private static func size(_ bytes: Int) -> String {
        bytes < 1_000_000
            ? "\(Numbers.fixed(Double(bytes) / 1e3, 1)) kB" : "\(Numbers.fixed(Double(bytes) / 1e6, 1)) MB"
    }

    private static func microseconds(_ value: Double) -> String { "\(Numbers.fixed(value, 1)) us" }
}
