import Basics

/// A way to serve a model for less, or quicker.
enum CostStrategy: String, Sendable, Codable, CaseIterable {
    /// Each request runs by itself; what the others are compared with.
    case plain
    /// Requests that wait at the same time run together.
    case batching
    /// A share of the requests was asked before.
    case cache
    /// Beside another model in the same process, with as many requests for both together.
    case shared
    case int8
    case distilled
    /// Another file that says nothing of how it came about.
    case other
    /// Tables in place of requests.
    case batchScoring = "batch scoring"

    /// What is commonly said to become of latency and cost; nil where nothing is. Milliseconds for latency where `isAdded`.
    var commonly: (latency: Double, isAdded: Bool, cost: Double)? {
        switch self {
        case .int8: (15, false, -40)
        case .batching: (200, true, -60)
        case .distilled: (5, false, -30)
        case .cache: (-80, false, -20)
        case .shared: (10, false, -50)
        case .plain, .other, .batchScoring: nil
        }
    }
}

/// What a model's answers take and cost by the way in which it is served, as measured on this machine.
struct CostTable: Sendable, Codable {
    /// The file or folder that was measured.
    var model: String
    var platform: String
    /// Requests under way at a time.
    var callers: Int
    /// The share of requests that the cache had seen.
    var hitRatio: Double
    var pricePerCoreHour: Double
    /// Processor seconds of a call beside its row, of a row in a call, and of a row of a table; what `modelworks advise`
    /// can work with.
    var callSeconds: Double?
    var rowSeconds: Double?
    var batchRowSeconds: Double?
    var lines: [Line]

    /// One strategy.
    struct Line: Sendable, Codable {
        var strategy: CostStrategy
        /// What it is called: the file's name where the strategy is another file.
        var name: String
        /// Predictions that were made.
        var predictions: Int
        /// Milliseconds at the caller; nil where nobody waits for a single row.
        var p50: Double?
        var p99: Double?
        /// Of all processes of the server, user and system, for one prediction.
        var processorSeconds: Double
        var perThousand: Double
        /// In percent of the plain way: of the p50, and of the cost.
        var latencyChange: Double?
        var costChange: Double?
        /// The largest difference of a number from the answer of the plain model; of other files only.
        var largestDifference: Double?
        var note: String?
    }

    /// The lines with their changes from the plain one.
    mutating func compare() {
        guard let plain = lines.first(where: { $0.strategy == .plain }) else { return }
        func change(_ value: Double?, _ from: Double?) -> Double? {
            guard let value, let from, from > 0 else { return nil }
            return (value / from - 1) * 100
        }
        for index in lines.indices where lines[index].strategy != .plain {
            lines[index].latencyChange = change(lines[index].p50, plain.p50)
            lines[index].costChange = change(lines[index].processorSeconds, plain.processorSeconds)
        }
    }

    /// What a thousand predictions cost.
    static func perThousand(processorSeconds: Double, price: Double) -> Double {
        processorSeconds * 1000 / 3600 * price
    }

    /// The table for people.
    var text: String {
        var table = TextTable([
            "Strategy", "p50", "p99", "CPU each", "1,000 cost", "Latency", "said", "Cost", "said", "",
        ])
        for line in lines {
            let said = line.strategy.commonly
            var notes = [line.note].compactMap { $0 }
            if let difference = line.largestDifference {
                notes.append("answers differ by at most \(AdviseCommand.money(difference))")
            }
            table.add(
                line.name, Numbers.milliseconds(line.p50), Numbers.milliseconds(line.p99),
                Numbers.milliseconds(line.processorSeconds * 1000), AdviseCommand.money(line.perThousand),
                Self.percent(line.latencyChange),
                said.map { $0.isAdded ? "+\(Numbers.milliseconds($0.latency))" : Self.percent($0.latency) } ?? "",
                Self.percent(line.costChange), said.map { Self.percent($0.cost) } ?? "", notes.joined(separator: "; "))
        }
        return """
            \(model) (\(platform)), \(callers) callers, single rows, \(pricePerCoreHour) per core-hour

            \(table.rendered())
            Measured here, at the caller and over the whole server; 'said' is what is commonly said, and assumed nowhere.
            Costs are those of processor time: what replicas cost that wait is told by 'modelworks advise --measured FILE'.
            """
    }

    private static func percent(_ change: Double?) -> String {
        guard let change, change.isFinite else { return "" }
        let text = Numbers.fixed(change.magnitude, change.magnitude < 9.95 ? 1 : 0)
        return "\(change < 0 ? "-" : "+")\(text)%"
    }
}
