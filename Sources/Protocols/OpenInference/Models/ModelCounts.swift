import Inference
import Serving

/// What the statistics extension tells of a model, in its words.
struct ModelCounts: Encodable {
    struct Total: Encodable {
        var count: UInt64
        var ns: UInt64

        init(_ total: ModelStatistics.Total) {
            count = total.count
            ns = total.nanoseconds
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
}
