import Basics
import Configuration
import Foundation

/// Measures what each way to serve a model takes and costs on this machine.
struct CostsCommand: Command {
    let usage = Usage(
        name: "costs",
        summary: "Measure latency and cost of a model by the way it is served, beside what is said of them",
        positionals: ["MODEL"],
        options: [
            .init(name: "examples", value: "FILE", help: "rows to ask for, Parquet, CSV or JSON (default: made up)"),
            .init(
                name: "against", value: "[int8=|distilled=]FILE",
                help: "measure another file of the model too; may be given several times"),
            .init(name: "callers", value: "N", help: "requests under way at a time (default: 8)"),
            .init(name: "hit-ratio", value: "SHARE", help: "requests that the cache has seen before (default: 50%)"),
            .init(name: "seconds", value: "N", help: "to measure each way (default: 2)"),
            .init(name: "price-per-core-hour", value: "X", help: "in any currency (default: 0.05)"),
            .init(name: "svg", value: "FILE", help: "draw cost against latency"),
        ],
        example: "modelworks costs fraud.onnx --against int8=fraud.int8.onnx --examples rows.parquet --svg costs.svg")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        var bench = CostBench(
            model: context.absolute(arguments.required(0)), executable: context.executable, random: SystemRandom())
        bench.rivals = try arguments.all("against").map { try rival($0, context) }
        bench.examples = arguments.option("examples").map(context.absolute)
        bench.callers = try arguments.integer("callers", default: bench.callers, in: 1...256)
        bench.seconds = Double(try arguments.integer("seconds", default: Int(bench.seconds), in: 1...600))
        if let text = arguments.option("hit-ratio") {
            guard let share = ConfigurationMapping.share(of: text) else {
                throw UsageError("'--hit-ratio' must be a share such as 50% or 0.5, and '\(text)' is none")
            }
            bench.hitRatio = share
        }
        if let text = arguments.option("price-per-core-hour") {
            guard let price = Double(text), price > 0, price < 1e9 else {
                throw UsageError("'--price-per-core-hour' must be a number above 0, and '\(text)' is none")
            }
            bench.price = price
        }
        if let file = bench.examples, !FileManager.default.fileExists(atPath: file) {
            throw CommandFailure(.notFound, "there is no \(file)", remedy: "Name a file of examples.")
        }
        let output = DescriptorOutput(2)
        let bar = ProgressBar(
            "Measuring", total: bench.steps, output: output,
            style: Style(for: output, environment: context.environment),
            nanoseconds: { SystemTime.monotonicNanoseconds })
        bench.progress = { bar.set($0) }
        let table = try await bench.run()
        bar.finish()
        if let path = arguments.option("svg").map(context.absolute) {
            try Data(CostChart.picture(table).rendered.utf8).write(to: URL(fileURLWithPath: path))
        }
        return Output(document: try JSON.value(table), text: table.text)
    }

    private func rival(_ text: String, _ context: Context) throws -> CostBench.Rival {
        for strategy in [CostStrategy.int8, .distilled] where text.hasPrefix("\(strategy.rawValue)=") {
            return CostBench.Rival(
                strategy: strategy, path: context.absolute(String(text.dropFirst(strategy.rawValue.count + 1))))
        }
        return CostBench.Rival(strategy: .other, path: context.absolute(text))
    }
}
