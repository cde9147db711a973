import Basics
import Foundation
import Inference
import Serving
import Streams
import Synchronization
import Telemetry

/// Events at a steady pace into a topic, a scorer, and who reads the answers: how long an event takes from the call that
/// publishes it to the read that shows its answer.
struct ScoringBenchmark {
    let address: String?
    /// The file of a model with one input of numbers.
    let model: String
    let perSecond: Int
    let seconds: Int
    private static let partitions = 4
    private static let limitMilliseconds = 100.0
    private static let burst = 10

    /// Times of events in nanoseconds, by number.
    private final class Times: Sendable {
        let sent: Mutex<[UInt64]>
        let took = Mutex<[Double]>([])

        init(_ count: Int) { sent = Mutex([UInt64](repeating: 0, count: count)) }
    }

    /// - Returns: whether the limit is kept.
    func run() async throws -> Bool {
        let folder = FileManager.default.temporaryDirectory.path + "/modelworks-bench-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let secrets = SecretSource(environment: ProcessInfo.processInfo.environment)
        let url = try StoreURL(address ?? "log:\(folder)", secrets: secrets)
        let streams = try await Streams.open(url, time: SystemTime(), logger: .silent, metrics: MetricsRegistry())
        let loaded = try ModelFolder.load(at: model)
        let scoring = try StreamScoring(
            name: "bench-\(UUID().uuidString)", model: model, from: TopicName("events"), to: TopicName("answers"),
            partitions: Self.partitions)
        for topic in [scoring.from, scoring.to, scoring.deadLetters] {
            if try await !streams.topics().contains(where: { $0.name == topic }) {
                try await streams.createTopic(topic, partitions: Self.partitions)
            }
        }
        let metrics = MetricsRegistry()
        let scorer = try StreamScorer(
            scoring, streams: streams, model: { StreamModel(name: "bench", version: "1", model: loaded) },
            time: SystemTime(), metrics: metrics)
        let work = Task { try await scorer.run() }
        let warm = perSecond
        let count = perSecond * seconds + warm
        let times = Times(count)
        let reading = Task { try await read(scoring.to, count: count, streams, times) }
        try await settle(scorer, streams, scoring, loaded)
        let processorBefore = Self.processorSeconds()
        let began = SystemTime.monotonicNanoseconds
        try await publish(count, to: scoring.from, loaded, streams, times)
        try await reading.value
        let elapsed = Double(SystemTime.monotonicNanoseconds &- began) / 1e9
        let processor = Self.processorSeconds() - processorBefore
        work.cancel()
        try await work.value
        let status = await scorer.status()
        await streams.close()
        // The first second finds caches cold and a group that has just begun.
        let took = times.took.withLock { Array($0.dropFirst(warm)) }.sorted()
        guard !took.isEmpty else { throw StreamFailure.invalidArgument("no answer came") }
        func share(_ share: Double) -> Double { took[min(took.count - 1, Int(share * Double(took.count)))] }
        let isKept = share(0.99) < Self.limitMilliseconds
        print(
            "stream scoring \(url.scheme): \(perSecond) events/s for \(seconds) s, \(count) scored in "
                + String(format: "%.1f s, ", elapsed)
                + String(format: "p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms", share(0.5), share(0.99), share(0.999))
                + " (limit p99 100 ms: \(isKept ? "kept" : "MISSED")), \(Int(status.batchRows)) a batch, "
                + String(format: "%.0f us of processor per event", processor / Double(count) * 1e6))
        return isKept
    }

    /// Lets the group form before the measure.
    private func settle(
        _ scorer: StreamScorer, _ streams: any EventStreams, _ scoring: StreamScoring, _ model: any TensorModel
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while await scorer.status().scored == 0, ContinuousClock.now < deadline {
            try await streams.publish(
                [StreamRecord(value: event(-1, model))], to: scoring.from)
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// An event as JSON; its own part of the processor's time is small beside what is measured.
    private func event(_ number: Int, _ model: any TensorModel) -> [UInt8] {
        let width = max(1, model.inputs.first?.shape.last ?? 1)
        let values = (0..<width).map { String((number &* 31 &+ $0 &* 17) % 1000) }.joined(separator: ",")
        return Array(#"{"id":"\#(number)","\#(model.inputs.first?.name ?? "")":[\#(values)]}"#.utf8)
    }

    private func publish(
        _ count: Int, to topic: TopicName, _ model: any TensorModel, _ streams: any EventStreams, _ times: Times
    ) async throws {
        let began = SystemTime.monotonicNanoseconds
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in stride(from: 0, to: count, by: Self.burst) {
                let due = began &+ UInt64(first) &* 1_000_000_000 / UInt64(perSecond)
                let now = SystemTime.monotonicNanoseconds
                if now < due { try await Task.sleep(for: .nanoseconds(due - now)) }
                let numbers = first..<min(first + Self.burst, count)
                // From when it was to be sent: a sender that is held up does not hide what a caller would wait.
                times.sent.withLock { sent in for number in numbers { sent[number] = due } }
                group.addTask {
                    try await streams.publish(
                        numbers.map { StreamRecord(key: Array("\($0)".utf8), value: event($0, model)) }, to: topic)
                }
                if first > 2000 { try await group.next() }
            }
            try await group.waitForAll()
        }
    }

    private func read(_ topic: TopicName, count: Int, _ streams: any EventStreams, _ times: Times) async throws {
        let consumer = try await streams.consumer(
            group: "bench-\(UUID().uuidString)", topics: [topic], start: .newest)
        let deadline = ContinuousClock.now + .seconds(120 + seconds)
        var seen = 0
        while seen < count, ContinuousClock.now < deadline {
            for record in try await consumer.poll(limit: 2000, wait: .milliseconds(500)) {
                let now = SystemTime.monotonicNanoseconds
                // The number stands at the beginning: {"id":"123",…
                let digits = record.record.value.dropFirst(7).prefix { $0 != UInt8(ascii: "\"") }
                guard let number = Int(String(decoding: digits, as: UTF8.self)), number >= 0 else { continue }
                let sent = times.sent.withLock { $0[number] }
                times.took.withLock { $0.append(Double(now &- sent) / 1e6) }
                seen += 1
            }
        }
        await consumer.close()
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
