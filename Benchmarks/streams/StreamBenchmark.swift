import Basics
import Foundation
import Streams
import Telemetry

/// One producer, one consumer of a group, values of 100 bytes.
struct StreamBenchmark {
    let address: String?
    let count: Int
    private static let valueBytes = 100
    private static let batch = 500

    func run() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/modelworks-bench-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let secrets = SecretSource(environment: ProcessInfo.processInfo.environment)
        let url = try StoreURL(address ?? "log:\(folder)", secrets: secrets)
        let streams = try await Streams.open(
            url, time: SystemTime(), logger: .silent, metrics: MetricsRegistry())
        print("stream store \(url.scheme), \(count) records of \(StreamBenchmark.valueBytes) bytes")
        let topic = try TopicName("bench")
        if try await !streams.topics().contains(where: { $0.name == topic }) {
            try await streams.createTopic(topic, partitions: 4)
        }
        let consumer = try await streams.consumer(group: "bench-\(UUID().uuidString)", topics: [topic], start: .newest)
        // A group's first join takes its time; it is no part of the measure.
        let joined = ContinuousClock.now + .seconds(30)
        while consumer.assignment.isEmpty, ContinuousClock.now < joined {
            _ = try await consumer.poll(limit: 1, wait: .milliseconds(100))
        }
        _ = try await consumer.poll(limit: 1, wait: .milliseconds(500))
        try await throughput(streams, consumer, topic)
        try await latency(streams, consumer, topic)
        await streams.close()
    }

    private func throughput(_ streams: any EventStreams, _ consumer: any StreamConsumer, _ topic: TopicName)
        async throws
    {
        let count = count
        let started = SystemTime.monotonicNanoseconds
        let value = Array(repeating: UInt8(7), count: StreamBenchmark.valueBytes)
        let publishing = Task {
            // Eight batches under way at once keep the store busy.
            try await withThrowingTaskGroup(of: Void.self) { group in
                var underWay = 0
                for start in stride(from: 0, to: count, by: StreamBenchmark.batch) {
                    if underWay >= 8 { try await group.next() }
                    underWay += 1
                    group.addTask {
                        let size = min(StreamBenchmark.batch, count - start)
                        let records = (0..<size).map { StreamRecord(key: Array("\(start + $0)".utf8), value: value) }
                        try await streams.publish(records, to: topic)
                    }
                }
                try await group.waitForAll()
            }
            return SystemTime.monotonicNanoseconds &- started
        }
        var seen = 0
        let deadline = ContinuousClock.now + .seconds(120)
        while seen < count, ContinuousClock.now < deadline {
            seen += try await consumer.poll(limit: 2000, wait: .seconds(1)).count
        }
        let consumed = Double(SystemTime.monotonicNanoseconds &- started) / 1e9
        let published = Double(try await publishing.value) / 1e9
        print(
            "published \(Int(Double(count) / published)) records/s, consumed \(seen) at \(Int(Double(seen) / consumed))/s"
        )
        try await consumer.commit()
    }

    private func latency(_ streams: any EventStreams, _ consumer: any StreamConsumer, _ topic: TopicName) async throws {
        let rounds = 2000
        let publishing = Task {
            for _ in 0..<rounds {
                let now = SystemTime.monotonicNanoseconds
                var value = Array(repeating: UInt8(0), count: StreamBenchmark.valueBytes)
                withUnsafeBytes(of: now) { for (index, byte) in $0.enumerated() { value[index] = byte } }
                try await streams.publish([StreamRecord(value: value)], to: topic)
            }
        }
        var took: [Double] = []
        let deadline = ContinuousClock.now + .seconds(120)
        while took.count < rounds, ContinuousClock.now < deadline {
            for record in try await consumer.poll(limit: 100, wait: .seconds(1)) {
                let sent = record.record.value.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
                took.append(Double(SystemTime.monotonicNanoseconds &- sent) / 1e6)
            }
        }
        try await publishing.value
        took.sort()
        guard !took.isEmpty else { return print("no record came back") }
        func share(_ share: Double) -> String {
            String(format: "%.3f ms", took[min(took.count - 1, Int(share * Double(took.count)))])
        }
        print("end to end, one record at a time: p50 \(share(0.5)), p99 \(share(0.99)), of \(took.count)")
    }
}
