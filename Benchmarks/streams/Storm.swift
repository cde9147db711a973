import Basics
import Foundation
import Streams
import Telemetry

/// Writes to a local log as fast as it can and says what was acknowledged, until the process is killed.
struct Storm {
    let folder: String
    let seed: UInt64

    func run() async throws {
        let url = try StoreURL("log:\(folder)?segment_bytes=16384", secrets: SecretSource(environment: [:]))
        let streams = try await Streams.open(
            url, time: SystemTime(), logger: .silent, metrics: MetricsRegistry())
        let input = try TopicName("input")
        let output = try TopicName("output")
        try await streams.createTopic(input, partitions: 2)
        try await streams.createTopic(output, partitions: 3)
        say("r")
        let (first, seed) = (seed, seed)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let random = SeededRandom(seed: seed)
                var next = 0
                while true {
                    let records = (0...Int(random.next() % 8)).map { index in
                        StreamRecord(
                            key: "\(random.next() % 16)", value: "\(first)-\(next + index)",
                            headers: [.init("pad", Array(repeating: 1, count: Int(random.next() % 300)))])
                    }
                    next += records.count
                    try await streams.publish(records, to: input)
                    say(records.map { "p \(String(decoding: $0.value, as: UTF8.self))" }.joined(separator: "\n"))
                }
            }
            group.addTask {
                let consumer = try await streams.consumer(group: "movers", topics: [input])
                while true {
                    var moved: [String] = []
                    try await streams.transact(consumer, limit: 5, wait: .seconds(1)) { records in
                        moved = records.map { "t \(String(decoding: $0.record.value, as: UTF8.self))" }
                        return records.map { StreamOutput(topic: output, record: $0.record) }
                    }
                    if !moved.isEmpty { say(moved.joined(separator: "\n")) }
                }
            }
            try await group.waitForAll()
        }
    }

    private func say(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }
}
