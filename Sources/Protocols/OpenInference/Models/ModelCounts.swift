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
        var compute_input: Total
        var compute_infer: Total
        var compute_output: Total
        var cache_hit: Total
        var cache_miss: Total
    }

    struct Batch: Encodable {
        var batch_size: Int
        var compute_input: Total
        var compute_infer: Total
        var compute_output: Total
    }

    struct Memory: Encodable {
        var type = "CPU"
        var id = 0
        var byte_size: Int
    }

    var name: String
    var version: String
    var last_inference: UInt64
    var inference_count: UInt64
    var execution_count: UInt64
    var inference_stats: Inference
    var response_stats: [String: Inference] = [:]
    var batch_stats: [Batch]
    var memory_usage: [Memory]

    init(_ model: ServedModel) {
        let reading = model.statistics.read()
        name = model.name
        version = model.version
        last_inference = reading.lastInference
        inference_count = reading.inferences
        execution_count = reading.executions
        inference_stats = Inference(
            success: Total(reading.success), fail: Total(reading.failure), queue: Total(reading.queue),
            compute_input: Total(reading.input), compute_infer: Total(reading.infer),
            compute_output: Total(reading.output), cache_hit: Total(reading.cacheHit),
            cache_miss: Total(reading.cacheMiss))
        batch_stats = reading.batches.sorted { $0.key < $1.key }.map { rows, batch in
            Batch(
                batch_size: rows, compute_input: Total(batch.input), compute_infer: Total(batch.infer),
                compute_output: Total(batch.output))
        }
        memory_usage = [Memory(byte_size: model.model.byteCount)]
    }
}
