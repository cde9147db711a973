import Basics
import Foundation
import HTTP
import Inference
import Scoring

/// Measures what serving a model costs, each way on the real server with requests of the protocol.
struct CostBench: Sendable {
    /// Another file of the same model.
    struct Rival: Sendable {
        var strategy: CostStrategy
        var path: String
    }

    var model: String
    var rivals: [Rival] = []
    var examples: String?
    var callers = 8
    var hitRatio = 0.5
    /// For each strategy.
    var seconds = 2.0
    var price = 0.05
    let executable: String
    let random: any RandomSource
    /// Told of every step that is done, of ``steps``.
    var progress: @Sendable (_ done: Int) -> Void = { _ in }

    /// Strategies take turns, so that what else happens on the machine meets all of them.
    private static let rounds = 5

    /// A strategy on the server, and what it costs there.
    private struct Lane {
        let strategy: CostStrategy
        let name: String
        let target: @Sendable (Int) -> String
        var seen = CallLoad.Seen()
        var processorSeconds = 0.0
    }

    var steps: Int { Self.rounds * (4 + rivals.count) + 1 }

    /// - Throws: `InferenceError`, `CommandFailure`, `HTTPFailure`.
    func run() async throws -> CostTable {
        let folder = "\(NSTemporaryDirectory())/modelworks-costs-\(random.identifier())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = model
        let loaded = try await BlockingThread(name: "model").run { try ModelFolder.load(at: path) }
        let requests = try await ExampleRequests.make(for: loaded, from: examples, in: folder, random: random)
        try lay(in: "\(folder)/models")
        var table = CostTable(
            model: (model as NSString).lastPathComponent, platform: loaded.platform, callers: callers,
            hitRatio: hitRatio, pricePerCoreHour: price, lines: [])
        try await served(requests, folder, into: &table)
        if let line = try await scored(loaded, requests, folder, rowSeconds: table.rowSeconds) {
            table.batchRowSeconds = line.processorSeconds
            table.lines.append(line)
        }
        progress(steps)
        table.compare()
        return table
    }

    // MARK: The server

    private static func configuration(cacheBytes: String? = nil) -> String {
        // No batching, so that each way is measured alone.
        "max_batch_size: 0\n" + (cacheBytes.map { "response_cache: {enable: true, max_bytes: \($0)}\n" } ?? "")
    }

    /// Lays the model out once for each way to serve it.
    private func lay(in folder: String) throws {
        let manager = FileManager.default
        func add(_ name: String, _ file: String, _ configuration: String?) throws {
            let place = "\(folder)/\(name)/1"
            try manager.createDirectory(atPath: place, withIntermediateDirectories: true)
            var isFolder: ObjCBool = false
            if manager.fileExists(atPath: file, isDirectory: &isFolder), isFolder.boolValue {
                try manager.removeItem(atPath: place)
                try manager.copyItem(atPath: file, toPath: place)
            } else {
                try manager.copyItem(atPath: file, toPath: "\(place)/model.\((file as NSString).pathExtension)")
            }
            if let configuration {
                try Data(configuration.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)/config.yaml"))
            }
        }
        for name in ["plain", "left", "right"] { try add(name, model, Self.configuration()) }
        try add("batching", model, nil)
        try add("hit", model, Self.configuration(cacheBytes: "256MiB"))
        // Nothing fits, so that each look is in vain.
        try add("miss", model, Self.configuration(cacheBytes: "1B"))
        for (index, rival) in rivals.enumerated() { try add("rival\(index)", rival.path, Self.configuration()) }
    }

    private var lanes: [Lane] {
        let share = hitRatio
        let ours: [Lane] = [
            Lane(strategy: .plain, name: "plain") { _ in "plain" },
            Lane(strategy: .batching, name: "batching") { _ in "batching" },
            Lane(strategy: .cache, name: "cache, \(Numbers.percent(share)) hits") { number in
                // Spread evenly: so many hits among the first n that none is missing and none too many.
                let (before, after) = (Double(number) * share, Double(number + 1) * share)
                return after.rounded(.down) > before.rounded(.down) ? "hit" : "miss"
            },
            Lane(strategy: .shared, name: "shared by two") { $0.isMultiple(of: 2) ? "left" : "right" },
        ]
        return ours
            + rivals.enumerated().map { index, rival in
                let file = (rival.path as NSString).lastPathComponent
                let name = rival.strategy == .other ? file : "\(rival.strategy.rawValue), \(file)"
                return Lane(strategy: rival.strategy, name: name) { _ in "rival\(index)" }
            }
    }

    private func served(
        _ requests: ExampleRequests, _ folder: String, into table: inout CostTable
    ) async throws {
        let words = ["up", "--models", "\(folder)/models", "--http-port", "0", "--grpc-port", "0", "--json"]
        let executable = executable
        let server = try ServerProcess(executable: executable, words: words, log: "\(folder)/server.log")
        defer { server.stop() }
        let load = CallLoad(url: server.url, callers: callers, bodies: requests.bodies)
        // What was asked once is in the cache; and every way has run before it is measured.
        _ = try await load.answers(of: "hit", count: requests.bodies.count)
        var lanes = lanes
        for lane in lanes { _ = try await load.run(seconds: 0.05, target: lane.target) }
        for round in 0..<Self.rounds {
            for index in lanes.indices {
                let before = ProcessorTime.ofTree(server.pid)
                let seen = try await load.run(seconds: seconds / Double(Self.rounds), target: lanes[index].target)
                lanes[index].processorSeconds += ProcessorTime.ofTree(server.pid) - before
                lanes[index].seen.nanoseconds += seen.nanoseconds
                progress(round * lanes.count + index + 1)
            }
        }
        for lane in lanes { table.lines.append(line(lane)) }
        try await compareAnswers(load, &table)
        if let plain = table.lines.first, let row = try await rowSeconds(server.url) {
            // A thread may have waited in the middle of a run: then the run is not more than the whole.
            let row = min(row, plain.processorSeconds)
            (table.rowSeconds, table.callSeconds) = (row, max(1e-9, plain.processorSeconds - row))
        }
    }

    private func line(_ lane: Lane) -> CostTable.Line {
        let count = max(1, lane.seen.nanoseconds.count)
        let each = lane.processorSeconds / Double(count)
        return CostTable.Line(
            strategy: lane.strategy, name: lane.name, predictions: count, p50: lane.seen.milliseconds(0.5),
            p99: lane.seen.milliseconds(0.99), processorSeconds: each,
            perThousand: CostTable.perThousand(processorSeconds: each, price: price))
    }

    /// What a run for one row takes by the server's own count.
    private func rowSeconds(_ url: String) async throws -> Double? {
        let response = try await HTTPClient(baseURL: url).get("/v2/models/plain/stats")
        let stats = try JSON.decode(JSONValue.self, from: try await response.collect())
        let model = stats["model_stats"]?.array?.first
        guard let nanoseconds = model?.at("inference_stats.compute_infer.ns")?.double,
            let rows = model?["inference_count"]?.double, rows > 0, nanoseconds > 0
        else { return nil }
        return nanoseconds / rows / 1e9
    }

    // MARK: Other files

    private func compareAnswers(_ load: CallLoad, _ table: inout CostTable) async throws {
        guard !rivals.isEmpty else { return }
        let own = try await load.answers(of: "plain", count: 100).map(Self.numbers)
        for index in rivals.indices {
            let others = try await load.answers(of: "rival\(index)", count: 100).map(Self.numbers)
            let place = table.lines.count - rivals.count + index
            guard table.lines.indices.contains(place), zip(own, others).allSatisfy({ $0.count == $1.count }) else {
                continue
            }
            table.lines[place].largestDifference = zip(own, others).flatMap { zip($0, $1).map { abs($0 - $1) } }.max()
        }
    }

    private static func numbers(_ answer: JSONValue) -> [Double] {
        (answer["outputs"]?.array ?? []).flatMap { ($0["data"]?.array ?? []).compactMap(\.double) }
    }

    // MARK: Tables

    /// Scores a table of the same rows, again and again.
    private func scored(
        _ loaded: any TensorModel, _ requests: ExampleRequests, _ folder: String, rowSeconds: Double?
    ) async throws -> CostTable.Line? {
        guard let source = requests.source, loaded.stacksRows else { return nil }
        let wanted = (rowSeconds.map { seconds / max($0, 1e-9) } ?? 0) / Double(requests.bodies.count)
        let copies = Int(min(4000, max(40, wanted)))
        let path = model
        let scoredModel = try await BlockingThread(name: "model").run {
            try ScoredModel(path: path, options: ModelOptions())
        }
        let job = ScoringJob(
            scoredModel, from: .query("SELECT e.* FROM \(source) e, range(\(copies))"),
            to: .parquet("\(folder)/scored"), ScoringOptions(), stateFolder: "\(folder)/scoring", environment: [:],
            time: SystemTime(), random: random)
        let before = ProcessorTime.ofTree(getpid())
        let report = try await job.run()
        let each = (ProcessorTime.ofTree(getpid()) - before) / Double(max(1, report.scored))
        return CostTable.Line(
            strategy: .batchScoring, name: CostStrategy.batchScoring.rawValue, predictions: Int(report.scored),
            processorSeconds: each, perThousand: CostTable.perThousand(processorSeconds: each, price: price),
            note: "\(Numbers.significantCount(report.rowsPerSecond)) rows/s")
    }
}
