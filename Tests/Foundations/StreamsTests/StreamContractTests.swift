import Basics
import Engines
import Foundation
import Testing

@testable import Streams

/// What every stream store does, on each engine.
@Suite struct StreamContractTests {
    @Test(arguments: StreamEngine.allCases)
    func whatIsPublishedIsReadBack(_ engine: StreamEngine) async throws {
        let store = try engine.store()
        let streams = try await store.open()
        let topic = try await store.topic("events", partitions: 2, on: streams)
        let time = Timestamp(microseconds: 1_700_000_000_123_000)
        let records = [
            StreamRecord(key: "one", value: "first", timestamp: time),
            StreamRecord(key: nil, value: Array("no key".utf8), timestamp: time),
            StreamRecord(key: [], value: [], timestamp: time),
            StreamRecord(
                key: Array("one".utf8), value: [0, 255, 10],
                headers: [.init("trace", [1, 2]), .init("empty", []), .init("trace", [3])], timestamp: time),
        ]
        let before = SystemTime().now
        let positions = try await streams.publish(records, to: topic)
        #expect(positions.count == records.count)
        #expect(positions[0].partition == positions[3].partition)
        #expect(positions[3].offset > positions[0].offset)
        for (record, position) in zip(records, positions) {
            let back = try await streams.read(
                topic, partition: position.partition, from: position.offset, limit: 1, wait: .seconds(5))
            #expect(back == [StreamedRecord(record: record, position: position)])
        }
        let stamped = try await streams.publish([StreamRecord(value: [1])], to: topic)[0]
        let back = try await streams.read(
            topic, partition: stamped.partition, from: stamped.offset, limit: 9, wait: .seconds(5))
        let moment = try #require(back.first?.record.timestamp)
        #expect(moment >= before.advanced(bySeconds: -1) && moment <= SystemTime().now.advanced(bySeconds: 1))
        #expect(try await streams.ends(topic).reduce(0, +) == 5)
        #expect(try await streams.starts(topic) == [0, 0])
        #expect(try await streams.topics().map(\.name) == [topic])
        #expect(try await streams.publish([], to: topic).isEmpty)
        await streams.close()
    }

    @Test(arguments: StreamEngine.allCases)
    func orderIsKeptInEachPartition(_ engine: StreamEngine) async throws {
        let store = try engine.store()
        let streams = try await store.open()
        let topic = try await store.topic("ordered", partitions: 3, on: streams)
        // Eight publishers at once; each has keys of its own.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for publisher in 0..<8 {
                group.addTask {
                    for step in 0..<20 {
                        let records = (0..<10).map {
                            StreamRecord(key: "\(publisher)", value: "\(step * 10 + $0)")
                        }
                        let positions = try await streams.publish(records, to: topic)
                        #expect(zip(positions, positions.dropFirst()).allSatisfy { $0.offset < $1.offset })
                    }
                }
            }
            try await group.waitForAll()
        }
        var seen: [String: [Int]] = [:]
        for partition in 0..<3 {
            let end = try await streams.ends(topic)[partition]
            var next: Int64 = 0
            while next < end {
                let records = try await streams.read(
                    topic, partition: partition, from: next, limit: 97, wait: .seconds(5))
                let last = try #require(records.last)
                #expect(records.count <= 97)
                #expect(zip(records, records.dropFirst()).allSatisfy { $0.position.offset < $1.position.offset })
                for record in records {
                    let key = String(decoding: record.record.key ?? [], as: UTF8.self)
                    seen[key, default: []].append(Int(String(decoding: record.record.value, as: UTF8.self)) ?? -1)
                }
                next = last.position.offset + 1
            }
        }
        #expect(seen.count == 8)
        for (_, values) in seen { #expect(values == Array(0..<200)) }
        await streams.close()
    }

    @Test(arguments: StreamEngine.allCases)
    func keysGoWhereKafkasJavaClientPutsThem(_ engine: StreamEngine) async throws {
        let store = try engine.store()
        let streams = try await store.open()
        let topic = try await store.topic("keyed", partitions: 7, on: streams)
        // The hashes stand in UtilsTest.testMurmur2 of Apache Kafka.
        let hashes: [String: Int32] = [
            "21": -973_932_308, "foobar": -790_332_482, "a-little-bit-long-string": -985_981_536,
            "a-little-bit-longer-string": -1_486_304_829,
            "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58_897_971, "abc": 479_470_107,
        ]
        for (key, hash) in hashes {
            let position = try await streams.publish([StreamRecord(key: key, value: "")], to: topic)[0]
            #expect(position.partition == Int(hash & 0x7FFF_FFFF) % 7, "\(key)")
        }
        // Records without a key use all partitions.
        let free = try await streams.publish((0..<4000).map { _ in StreamRecord(value: [7]) }, to: topic)
        #expect(Set(free.map(\.partition)).count == 7)
        await streams.close()
    }

    @Test(arguments: StreamEngine.allCases)
    func whatIsNotThereIsToldClearly(_ engine: StreamEngine) async throws {
        let store = try engine.store()
        let streams = try await store.open()
        let topic = try await store.topic("small", partitions: 2, on: streams)
        let missing = try TopicName("missing")
        await #expect(throws: StreamFailure.unknownTopic("missing")) {
            try await streams.publish([StreamRecord(value: [1])], to: missing)
        }
        await #expect(throws: StreamFailure.unknownTopic("missing")) { try await streams.ends(missing) }
        await #expect(throws: StreamFailure.unknownTopic("missing")) {
            try await streams.consumer(group: "g", topics: [topic, missing])
        }
        await #expect(throws: StreamFailure.unknownPartition(topic: "small", partition: 2, has: 2)) {
            try await streams.read(topic, partition: 2, from: 0, limit: 1, wait: .zero)
        }
        await #expect(throws: StreamFailure.offsetOutside(topic: "small", partition: 0, offset: 9, end: 0)) {
            try await streams.read(topic, partition: 0, from: 9, limit: 1, wait: .zero)
        }
        await #expect(throws: StreamFailure.topicDiffers("small", has: 2, wanted: 3)) {
            try await streams.createTopic(topic, partitions: 3)
        }
        try await streams.createTopic(topic, partitions: 2)
        await #expect(throws: StreamFailure.recordTooLarge(bytes: 1_000_001, limit: 1_000_000)) {
            try await streams.publish([StreamRecord(value: Array(repeating: 0, count: 1_000_001))], to: topic)
        }
        let started = ContinuousClock.now
        #expect(try await streams.read(topic, partition: 0, from: 0, limit: 5, wait: .milliseconds(300)).isEmpty)
        let waited = ContinuousClock.now - started
        #expect(waited >= .milliseconds(290) && waited < .seconds(5))
        #expect(try await streams.check().isEmpty == false)
        await streams.close()
        await #expect(throws: (any Error).self) { try await streams.publish([StreamRecord(value: [1])], to: topic) }
    }

    @Test(arguments: StreamEngine.allCases)
    func bigRecordsAndManyPartitions(_ engine: StreamEngine) async throws {
        let store = try engine.store()
        let streams = try await store.open()
        let wide = try await store.topic("wide", partitions: 64, on: streams)
        let records = (0..<640).map { StreamRecord(key: "key \($0)", value: "\($0)") }
        let positions = try await streams.publish(records, to: wide)
        #expect(Set(positions.map(\.partition)).count > 50)
        #expect(try await streams.ends(wide).reduce(0, +) == 640)
        let big = try await store.topic("big", partitions: 1, on: streams)
        let value = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try await streams.publish((0..<3).map { StreamRecord(value: value + [$0]) }, to: big)
        for offset in Int64(0)..<3 {
            let back = try await streams.read(big, partition: 0, from: offset, limit: 1, wait: .seconds(5))
            #expect(back.first?.record.value == value + [UInt8(offset)])
        }
        await streams.close()
    }

    @Test(arguments: StreamEngine.allCases)
    func aReaderIsWokenByWhatComes(_ engine: StreamEngine) async throws {
        let store = try engine.store()
        let streams = try await store.open()
        let topic = try await store.topic("live", partitions: 1, on: streams)
        async let waiting = streams.read(topic, partition: 0, from: 0, limit: 10, wait: .seconds(20))
        let position = try await streams.publish([StreamRecord(key: "k", value: "now")], to: topic)[0]
        let started = ContinuousClock.now
        #expect(try await waiting.map(\.position) == [position])
        #expect(ContinuousClock.now - started < .seconds(5))
        await streams.close()
    }
}
