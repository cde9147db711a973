import Basics
import Foundation
import Serving

/// Says how a model should be served, from how soon decisions are needed and how many.
struct AdviseCommand: Command {
    let usage = Usage(
        name: "advise", summary: "Choose how a model is served, from latency and volume, and say what each way costs",
        options: [
            .init(name: "latency", value: "TIME", help: "within which a decision must be there: 50ms, 2s, 6h"),
            .init(name: "volume", value: "N/UNIT", help: "predictions, such as 2M/day or 300/s"),
            .init(
                name: "freshness", value: "TIME",
                help: "how old what a decision is made of may be (default: the latency)"),
            .init(name: "rows-per-call", value: "N", help: "predictions that one call asks for (default: 1)"),
            .init(name: "peak", value: "X", help: "the busiest hour over the mean of those with traffic (default: 3)"),
            .init(name: "idle-hours", value: "N", help: "hours of a day in which nobody asks (default: 0)"),
            .init(name: "price-per-core-hour", value: "X", help: "in any currency (default: 0.05)"),
            .init(
                name: "measured", value: "FILE", help: "figures of the model: what 'modelworks costs --json' printed"),
            .init(name: "model", value: "NAME", help: "with --url: take what this model's runs took on that server"),
        ], example: "modelworks advise --latency 50ms --volume 2M/day --price-per-core-hour 0.04")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let workload = try workload(arguments)
        var figures = CostAssumptions()
        if let file = arguments.option("measured") { try take(context.absolute(file), into: &figures) }
        if let model = arguments.option("model") {
            let client = try await Client.open(arguments, context)
            do {
                try await take(model, from: client, into: &figures)
                await client.close()
            } catch {
                await client.close()
                throw error
            }
        }
        if let price = try number("price-per-core-hour", arguments, above: 0) {
            figures.pricePerCoreHour.replace(price, from: "--price-per-core-hour")
        }
        return try Self.show(try ServingAdvice(workload, figures))
    }

    private func workload(_ arguments: Arguments) throws -> Workload {
        func time(_ name: String) throws -> Double? {
            guard let text = arguments.option(name) else { return nil }
            guard let seconds = Workload.seconds(of: text) else {
                throw UsageError("'--\(name)' must be a time, and '\(text)' is none", remedy: "Say 50ms, 2s, 5m or 1d.")
            }
            return seconds
        }
        guard let latency = try time("latency"), let volume = arguments.option("volume") else {
            throw UsageError("'modelworks advise' needs --latency TIME and --volume N/UNIT")
        }
        guard let perDay = Workload.perDay(of: volume) else {
            throw UsageError(
                "'--volume' must be a number and a unit of time, and '\(volume)' is none",
                remedy: "Say 2M/day, 300/s or 0/day.")
        }
        do {
            return try Workload(
                latency: latency, freshness: try time("freshness"), perDay: perDay,
                rowsPerCall: try arguments.integer("rows-per-call", default: 1, in: 1...1_000_000),
                peak: try number("peak", arguments, above: 0) ?? 3,
                idleHours: Double(try arguments.integer("idle-hours", default: 0, in: 0...23)))
        } catch let failure as ServingFailure {
            throw UsageError(failure.message, remedy: failure.remedy)
        }
    }

    private func number(_ name: String, _ arguments: Arguments, above least: Double) throws -> Double? {
        guard let text = arguments.option(name) else { return nil }
        guard let number = Double(text), number > least, number < 1e9 else {
            throw UsageError("'--\(name)' must be a number above \(Int(least)), and '\(text)' is none")
        }
        return number
    }

    // MARK: Measured figures

    private func take(_ path: String, into figures: inout CostAssumptions) throws {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(
                .notFound, "there is no \(path)", remedy: "Write it by 'modelworks costs MODEL --json > FILE'.")
        }
        guard let table = try? JSON.decode(CostTable.self, from: Array(bytes)) else {
            throw CommandFailure(
                .invalidArgument, "\(path) is no table of costs",
                remedy: "Write it by 'modelworks costs MODEL --json > FILE'.")
        }
        let source = "measured: \((path as NSString).lastPathComponent), \(table.model)"
        if let call = table.callSeconds { figures.callSeconds.replace(call, from: source) }
        if let row = table.rowSeconds { figures.rowSeconds.replace(row, from: source) }
        if let batch = table.batchRowSeconds, let row = table.rowSeconds, row > 0 {
            figures.batchShare.replace(batch / row, from: source)
        }
    }

    /// What the runs of a model took on a server, by the statistics of the protocol.
    private func take(_ model: String, from client: Client, into figures: inout CostAssumptions) async throws {
        let page = try await client.operatorPage("/v2/models/\(Client.escape(model))/stats")
        let stats = try JSON.decode(JSONValue.self, from: page)["model_stats"]?.array ?? []
        let runs = stats.compactMap { $0.at("inference_stats.compute_infer") }
        let nanoseconds = runs.reduce(0) { $0 + ($1["ns"]?.double ?? 0) }
        let rows = stats.reduce(0) { $0 + ($1["inference_count"]?.double ?? 0) }
        guard rows > 0, nanoseconds > 0 else {
            throw CommandFailure(
                .failedPrecondition, "the model '\(model)' has not been asked on that server",
                remedy: "Send it requests, or measure it by 'modelworks costs'.")
        }
        figures.rowSeconds.replace(nanoseconds / rows / 1e9, from: "measured: the runs of \(model) on the server")
    }

    // MARK: What is told

    private static func show(_ advice: ServingAdvice) throws -> Output {
        let choice = advice.choice
        var document = try JSON.value(advice)
        if case .object(var members) = document {
            members["choice"] = choice.map { .string($0.pattern.rawValue) } ?? .null
            members["next"] = choice.map { .string(next($0)) } ?? .null
            document = .object(members)
        }
        var table = TextTable(["Pattern", "Fits", "Cores", "Busy", "Month", "1,000", "Times", "Because"])
        for cost in advice.costs {
            let times = choice.flatMap { $0.perMonth > 0 ? cost.perMonth / $0.perMonth : nil }
            table.add(
                cost.pattern.rawValue, cost.fits ? "yes" : "no", Numbers.significantCount(cost.cores),
                cost.paidCoreHours > 0
                    ? money(min(1, cost.busyCoreHours / cost.paidCoreHours) * 100) + "%" : Numbers.none,
                money(cost.perMonth), cost.perThousand.map(money) ?? Numbers.none,
                times.map { money($0) + "×" } ?? Numbers.none, cost.reason)
        }
        var lines = [choice.map { "\($0.pattern.rawValue): \($0.reason)." } ?? "Nothing is fast enough."]
        lines += ["", table.rendered()]
        lines.append("Worked out from")
        for (name, figure) in advice.assumptions.all {
            lines.append("  \(name): \(plain(figure)) (\(figure.source))")
        }
        if let edge = advice.costs.last, choice?.pattern == .edge {
            lines.append(
                "  The processor time of devices is priced as if it were bought: \(money(edge.perMonth)) a month.")
        }
        lines += ["", "Next: \(choice.map(next) ?? noneNext)"]
        return Output(document: document, text: lines.joined(separator: "\n"), good: choice != nil)
    }

    private static let noneNext =
        "make the model quicker ('modelworks export edge --int8', or a smaller one: Examples/distillation), then "
        + "measure it by 'modelworks costs'"

    private static func next(_ cost: PatternCost) -> String {
        switch cost.pattern {
        case .batch: "modelworks score MODEL --input ROWS.parquet --output 'scores/{date}'"
        case .stream:
            "modelworks stream score --streams kafka://HOST:9092 --model MODEL --from EVENTS --to SCORES"
        case .realTime: "modelworks up --models DIR"
        case .edge: "modelworks export edge MODEL"
        }
    }

    /// An amount with three digits that count, however small.
    static func money(_ amount: Double) -> String {
        guard amount > 0, amount.isFinite else { return amount == 0 ? "0" : Numbers.none }
        let digits = max(0, min(9, 2 - Int(log10(amount).rounded(.down))))
        return Numbers.fixed(amount, digits)
    }

    private static func plain(_ figure: CostAssumptions.Figure) -> String {
        figure.unit == "s" ? Numbers.milliseconds(figure.value * 1000) : "\(money(figure.value)) \(figure.unit)"
    }
}
