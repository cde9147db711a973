import Basics
import Engines
import Foundation
import Inference
import Synchronization
import Telemetry
import Testing

@testable import Serving
@testable import Streams

/// A stream with topics for one test, and what came out of it.
struct ScoringBench {
    let store: StreamStore
    var scoring: StreamScoring

    init(
        _ engine: StreamEngine, partitions: Int = 3, outputs: Int? = nil, rows: Int = 64,
        windows: StreamScoring.Windows? = nil
    ) async throws {
        store = try engine.store()
        scoring = try StreamScoring(
            name: "test/scorer", model: "stub", from: try TopicName("events"), to: try TopicName("answers"), rows: rows,
            windows: windows)
        let streams = try await store.open()
        try await store.topic("events", partitions: partitions, on: streams)
        try await store.topic("answers", partitions: outputs ?? partitions, on: streams)
        try await store.topic("events.rejected", partitions: 2, on: streams)
        await streams.close()
    }

    /// One record of an output topic.
    struct Output: Sendable {
        var partition: Int
        var key: [UInt8]?
        var value: JSONValue
        var bytes: [UInt8]
        var mark: SourceMark
        var reason: String?

        var id: String? { value["id"]?.string }
        var double: Double? { value["outputs"]?["double"]?.double }
    }

    /// Everything in an output topic, as it lies there.
    func outputs(_ topic: TopicName, on streams: any EventStreams) async throws -> [Output] {
        var found: [Output] = []
        for partition in try await streams.ends(topic).indices {
            var next: Int64 = 0
            while true {
                let records = try await streams.held(topic, partition: partition, from: next, limit: 1000)
                guard let last = records.last else { break }
                next = last.position.offset + 1
                for record in records {
                    found.append(
                        Output(
                            partition: partition, key: record.record.key,
                            value: (try? JSON.decode(JSONValue.self, from: record.record.value)) ?? .null,
                            bytes: record.record.value, mark: try #require(SourceMark(record.record)),
                            reason: record.record.headers.first { $0.name == "reason" }.map {
                                String(decoding: $0.value, as: UTF8.self)
                            }))
                }
            }
        }
        return found
    }

    func scorer(
        on streams: any EventStreams, model: any TensorModel = StubModel(), metrics: MetricsRegistry = MetricsRegistry()
    ) throws -> StreamScorer {
        try StreamScorer(
            scoring, streams: streams, model: { StreamModel(name: "stub", version: "1", model: model) },
            time: SystemTime(), metrics: metrics)
    }

    /// An event of `StubModel`, whose key spreads events over partitions.
    static func event(_ number: Int, keys: Int = 11) -> StreamRecord {
        StreamRecord(
            key: "k\(number % keys)", value: #"{"id": "e\#(number)", "x": [\#(number)]}"#,
            headers: [.init("trace", Array("t\(number)".utf8))])
    }

    /// Waits until so many records are in both output topics together.
    func wait(for count: Int64, on streams: any EventStreams) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let there =
                try await streams.ends(scoring.to).reduce(0, +)
                + streams.ends(scoring.deadLetters).reduce(0, +)
            if there >= count { return }
            try #require(ContinuousClock.now < deadline, "\(there) of \(count) came")
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Expects each of `ids` once, those of a partition in order and in one partition.
    func expectOnce(_ ids: [String], in outputs: [Output]) {
        #expect(outputs.compactMap(\.id).sorted() == ids.sorted())
        var last: [Int: Int64] = [:]
        var places: [Int: Int] = [:]
        for output in outputs {
            #expect(output.mark.offset > last[output.mark.partition] ?? -1, "out of order or twice")
            last[output.mark.partition] = output.mark.offset
            #expect(places[output.mark.partition] ?? output.partition == output.partition)
            places[output.mark.partition] = output.partition
        }
    }
}

/// A model that is away so many times, then answers; or always fails with some rows.
final class MoodyModel: TensorModel {
    struct Away: Failure {
        let code = FailureCode.unavailable
        let message = "the model is away"
    }

    let platform = "moody"
    let inputs = [TensorSpec(name: "x", datatype: .fp64, shape: [-1, 1])]
    let outputs = [TensorSpec(name: "double", datatype: .fp64, shape: [-1, 1])]
    let stacksRows = true
    let byteCount = 0
    private let left: Mutex<Int>
    private let poison: Double?

    init(away: Int = 0, poison: Double? = nil) {
        left = Mutex(away)
        self.poison = poison
    }

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        let isAway = left.withLock { left in
            left -= 1
            return left >= 0
        }
        let values = inputs.first?.values(as: Double.self) ?? []
        if isAway || poison.map(values.contains) == true { throw Away() }
        return [try Tensor(.fp64, shape: [values.count, 1], values: values.map { $0 * 2 })]
    }
}
