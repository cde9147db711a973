import Basics
import Inference
import Registry
import Serving
import Telemetry

/// What the statistics extension tells of a model, in its words.
struct ModelCounts: Encodable {
    struct Total: Encodable {
        var count: UInt64
        var ns: UInt64

        init(_ total: ModelStatistics.Total) {
            count = total.count
            ns = total.nanoseconds
        }

        init(count: UInt64 = 0, ns: UInt64 = 0) {
            self.count = count
            self.ns = ns
        }

        /// What durations add up to.
        init(_ counts: DurationCounts) {
            count = counts.count
            ns = counts.nanoseconds
        }
    }

    struct Inference: Encodable {
        var success: Total
        var fail: Total
        var queue: Total
        var computeInput: Total
        var computeInfer: Total
        var computeOutput: Total
        var cacheHit: Total
        var cacheMiss: Total
    }

    struct Batch: Encodable {
        var batchSize: Int
        var computeInput: Total
        var computeInfer: Total
        var computeOutput: Total
    }

    struct Memory: Encodable {
        var type = "CPU"
        var id = 0
        var byteSize: Int
    }

    var name: String
    var version: String
    var lastInference: UInt64
    var inferenceCount: UInt64
    var executionCount: UInt64
    var inferenceStats: Inference
    var responseStats: [String: Inference] = [:]
    var batchStats: [Batch]
    var memoryUsage: [Memory]

    init(_ model: ServedModel) {
        let reading = model.statistics.read()
        name = model.name
        version = model.version
        lastInference = reading.lastInference
        inferenceCount = reading.inferences
        executionCount = reading.executions
        inferenceStats = Inference(
            success: Total(reading.success), fail: Total(reading.failure), queue: Total(reading.queue),
            computeInput: Total(reading.input), computeInfer: Total(reading.infer),
            computeOutput: Total(reading.output), cacheHit: Total(reading.cacheHit),
            cacheMiss: Total(reading.cacheMiss))
        batchStats = reading.batches.sorted { $0.key < $1.key }.map { rows, batch in
            Batch(
                batchSize: rows, computeInput: Total(batch.input), computeInfer: Total(batch.infer),
                computeOutput: Total(batch.output))
        }
        memoryUsage = [Memory(byteSize: model.model.byteCount)]
    }

    static func all(of target: Directory.Target) -> [ModelCounts] {
        switch target {
        case .endpoint(let endpoint): all(of: endpoint)
        case .model(let model): [ModelCounts(model)]
        }
    }

    /// What an endpoint has done, by version that has traffic.
    static func all(of endpoint: Endpoint) -> [ModelCounts] {
        let (traffic, readings) = (endpoint.traffic, endpoint.statistics)
        let split = zip(traffic?.split?.arms ?? [], endpoint.splitReadings).dropFirst().map {
            (Optional($0.version), Optional($1))
        }
        let arms = [(traffic?.stable, readings.stable), (traffic?.canary, readings.canary)] + split
        return arms.compactMap { id, reading in
            id.flatMap { id in reading.map { ModelCounts(endpoint, id.version, $0) } }
        }
    }

    /// Every row is a run of its own there.
    private init(_ endpoint: Endpoint, _ version: Int64, _ reading: ArmStatistics.Reading) {
        func sum(_ stage: RequestStage) -> Total {
            var counts = DurationCounts()
            for arm in endpoint.stageHistograms where arm.version == version { counts.add(arm.stages.read(stage)) }
            return Total(counts)
        }
        name = endpoint.definition.name
        self.version = String(version)
        lastInference = UInt64(max(0, (endpoint.lastAsked?.microseconds ?? 0) / 1000))
        inferenceCount = UInt64(max(0, reading.answers - reading.failures))
        executionCount = inferenceCount
        let (input, infer, output) = (sum(.preprocess), sum(.inference), sum(.postprocess))
        inferenceStats = Inference(
            success: sum(.total), fail: Total(count: UInt64(max(0, reading.failures))), queue: Total(),
            computeInput: input, computeInfer: infer, computeOutput: output, cacheHit: Total(), cacheMiss: Total())
        batchStats =
            inferenceCount == 0
            ? [] : [Batch(batchSize: 1, computeInput: input, computeInfer: infer, computeOutput: output)]
        memoryUsage = []
    }
}
