import Basics
import Engines
import Foundation
import Testing

@testable import Streams

/// Chosen partitions, what is held by now, and going on elsewhere: what exactly-once work by partition rests on.
@Suite struct StreamPlaceContractTests {
    @Test(arguments: StreamEngine.allCases)
    func recordsGoWhereTheyAreSentAndWhatIsThereIsRead(_ engine: StreamEngine) async throws {
        let store = try engine.store()
        let streams = try await store.open()
        let source = try await store.topic("source", partitions: 1, on: streams)
        let target = try await store.topic("target", partitions: 3, on: streams)
        try await streams.publish((0..<10).map { StreamRecord(key: "k", value: "\($0)") }, to: source)
        let held = try await streams.held(source, partition: 0, from: 0, limit: 100)
        #expect(held.map(\.position.offset) == Array(0..<10))
        #expect(try await streams.held(source, partition: 0, from: 7, limit: 2).map(\.position.offset) == [7, 8])
        #expect(try await streams.held(source, partition: 0, from: 10, limit: 2).isEmpty)
        #expect(try await streams.held(target, partition: 2, from: 0, limit: 2).isEmpty)
        let consumer = try await streams.consumer(group: "g", topics: [source])
        #expect(try await poll(consumer, from: 0) == Array(0..<10))
        let generation = consumer.generation
        // One key, and a partition of its own for each record.
        try await streams.commit(
            consumer,
            with: held.map { StreamOutput(topic: target, record: $0.record, partition: Int($0.position.offset) % 3) })
        #expect(try await streams.ends(target) == [4, 3, 3])
        let place = TopicPartition(topic: source, partition: 0)
        try await consumer.seek(place, to: 6)
        #expect(try await poll(consumer, from: 6) == [6, 7, 8, 9])
        try await consumer.rewind()
        // What the group has committed lies behind where it went; a rewind leads to where it was sent or to that.
        try await consumer.seek(place, to: 8)
        #expect(try await poll(consumer, from: 8) == [8, 9])
        #expect(consumer.generation == generation)
        await #expect(throws: StreamFailure.unknownPartition(topic: "target", partition: 3, has: 3)) {
            try await streams.commit(
                consumer, with: [StreamOutput(topic: target, record: StreamRecord(value: []), partition: 3)])
        }
        await streams.close()
    }

    @Test func aGenerationEndsWhenPartitionsMove() async throws {
        let store = try StreamEngine.log.store()
        let streams = try await store.open()
        let topic = try await store.topic("t", partitions: 2, on: streams)
        let consumer = try await streams.consumer(group: "g", topics: [topic])
        let first = consumer.generation
        let other = try await streams.consumer(group: "g", topics: [topic])
        #expect(consumer.generation != first)
        let second = consumer.generation
        await other.close()
        #expect(consumer.generation != second)
        await streams.close()
    }

    /// Offsets from one on, until the partition has no more for a moment.
    private func poll(_ consumer: any StreamConsumer, from first: Int64) async throws -> [Int64] {
        let deadline = ContinuousClock.now + .seconds(30)
        var offsets: [Int64] = []
        while offsets.last != 9, ContinuousClock.now < deadline {
            offsets += try await consumer.poll(limit: 100, wait: .milliseconds(200)).map(\.position.offset)
        }
        return offsets
    }
}
