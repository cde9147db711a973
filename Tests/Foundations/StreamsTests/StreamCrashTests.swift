import Basics
import Engines
import Foundation
import Telemetry
import TestSupport
import Testing

@testable import Streams

/// A process that is killed in the middle of publishing and transacting, over and over on one folder.
struct StreamStorm {
    /// - Returns: how many records were acknowledged in all.
    @discardableResult
    static func run(kills: Int, seed: UInt64) async throws -> Int {
        let program = try KafkaServer.program("bench-streams", "MODELWORKS_BENCH_STREAMS")
        let folder = try TemporaryFolder()
        let random = SeededRandom(seed: seed)
        var published: Set<String> = []
        var moved: Set<String> = []
        for round in 0..<kills {
            let log = try TemporaryFolder()
            let child = try EngineProcess(
                "storm", [program, "storm", folder("streams"), "\(round)"], folder: log.path)
            try waitUntil("the storm of round \(round) begins: \(child.output)", within: 20) {
                child.output.hasPrefix("r\n")
            }
            usleep(UInt32(random.next() % 40_000))
            child.signal(SIGKILL)
            child.end()
            // A line that the kill cut off may be of an acknowledged record; it proves nothing.
            for line in child.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
                if line.hasPrefix("p ") { published.insert(String(line.dropFirst(2))) }
                if line.hasPrefix("t ") { moved.insert(String(line.dropFirst(2))) }
            }
            try await check(folder("streams"), published, moved, round)
        }
        return published.count
    }

    /// Every acknowledged record is there once and in its order; the outputs are the inputs before what was committed.
    private static func check(
        _ folder: String, _ published: Set<String>, _ moved: Set<String>, _ round: Int
    ) async throws {
        let url = try StoreURL("log:\(folder)?segment_bytes=16384", secrets: SecretSource(environment: [:]))
        let streams = try await Streams.open(url, time: SystemTime(), logger: .silent, metrics: .init())
        let input = try await all(streams, try TopicName("input"))
        let output = try await all(streams, try TopicName("output"))
        let inputs = input.map { String(decoding: $0.record.value, as: UTF8.self) }
        let outputs = output.map { String(decoding: $0.record.value, as: UTF8.self) }
        #expect(published.isSubset(of: Set(inputs)), "round \(round): acknowledged records are missing")
        #expect(Set(inputs).count == inputs.count, "round \(round): records are doubled")
        #expect(moved.isSubset(of: Set(outputs)), "round \(round): moved records are missing")
        #expect(Set(outputs).count == outputs.count, "round \(round): outputs are doubled")
        let local = try #require(streams as? LocalStreams)
        let committed = local.commits.offsets("movers")
        let before = input.filter {
            $0.position.offset
                < committed[TopicPartition(topic: $0.position.topic, partition: $0.position.partition)] ?? 0
        }
        #expect(
            Set(before.map { String(decoding: $0.record.value, as: UTF8.self) }) == Set(outputs),
            "round \(round): outputs and commits differ")
        await streams.close()
    }

    private static func all(_ streams: any EventStreams, _ topic: TopicName) async throws -> [StreamedRecord] {
        var records: [StreamedRecord] = []
        guard try await streams.topics().contains(where: { $0.name == topic }) else { return [] }
        for (partition, end) in try await streams.ends(topic).enumerated() {
            var next: Int64 = 0
            while next < end {
                let more = try await streams.read(topic, partition: partition, from: next, limit: 5000, wait: .zero)
                records += more
                next = (more.last?.position.offset ?? end) + 1
            }
        }
        return records
    }
}

@Suite struct StreamCrashTests {
    @Test func whatWasAcknowledgedSurvivesFiftyKills() async throws {
        var acknowledged = 0
        // A fresh folder after each ten kills keeps the checks short.
        for seed in UInt64(1)...5 { acknowledged += try await StreamStorm.run(kills: 10, seed: seed) }
        #expect(acknowledged > 500)
    }
}

@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"))
struct StreamCrashSoak {
    @Test func whatWasAcknowledgedSurvivesFiveHundredKills() async throws {
        for seed in UInt64(10)..<20 { try await StreamStorm.run(kills: 50, seed: seed) }
    }
}
