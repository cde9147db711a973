import Basics
import Engines
import Foundation
import Synchronization
import Testing

@testable import Streams

/// Consumer groups and transactions, on each engine.
@Suite struct StreamGroupContractTests {
    /// Polls until `count` records came, or a deadline passed.
    private func poll(
        _ consumer: any StreamConsumer, count: Int, within seconds: Int = 20
    ) async throws -> [StreamedRecord] {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var records: [StreamedRecord] = []
        while records.count < count, ContinuousClock.now < deadline {
            records += try await consumer.poll(limit: count - records.count, wait: .milliseconds(500))
        }
        return records
    }

    private func numbers(_ records: [StreamedRecord]) -> [Int] {
        records.compactMap { Int(String(decoding: $0.record.value, as: UTF8.self)) }.sorted()
    }

    private func records(_ range: Range<Int>) -> [StreamRecord] {
        range.map { StreamRecord(key: "\($0)", value: "\($0)") }
    }

    @Test(arguments: StreamEngine.allCases)
    func commitsSurviveReopeningAndLagIsTold(_ engine: StreamEngine) async throws {
        let store = try engine.store()
        var streams = try await store.open()
        let topic = try await store.topic("work", partitions: 2, on: streams)
        try await streams.publish(records(0..<100), to: topic)
        var consumer = try await streams.consumer(group: "g", topics: [topic])
        var first = try await poll(consumer, count: 30)
        #expect(first.count == 30)
        try await consumer.commit()
        // Polled and not committed: it comes again.
        #expect(try await poll(consumer, count: 20).count == 20)
        let lag = try await consumer.lag()
        #expect(lag.count == 2)
        #expect(lag.reduce(0) { $0 + $1.records } == 70)
        try await consumer.rewind()
        #expect(try await poll(consumer, count: 70).count == 70)
        #expect(try await consumer.poll(limit: 10, wait: .milliseconds(100)).isEmpty)
        await streams.close()

        streams = try await store.open()
        consumer = try await streams.consumer(group: "g", topics: [topic])
        let rest = try await poll(consumer, count: 70)
        first += rest
        #expect(numbers(first) == Array(0..<100))
        try await consumer.commit()
        #expect(try await consumer.lag().allSatisfy { $0.records == 0 })
        await #expect(throws: StreamFailure.foreignConsumer(group: "g")) {
            let other = try await engine.store().open()
            try await other.commit(consumer, with: [])
        }
        await consumer.close()
        await #expect(throws: StreamFailure.closed(store: "g")) { try await consumer.poll(limit: 1, wait: .zero) }
        await streams.close()
    }

    @Test(arguments: StreamEngine.allCases)
    func aGroupSharesAndRebalances(_ engine: StreamEngine) async throws {
        let store = try engine.store()
        let streams = try await store.open()
        let topic = try await store.topic("shared", partitions: 6, on: streams)
        let tally = Tally()
        let first = try await streams.consumer(group: "g", topics: [topic])
        let second = try await streams.consumer(group: "g", topics: [topic])
        try await streams.publish(records(0..<600), to: topic)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for consumer in [first, second] {
                group.addTask {
                    while !tally.isDone {
                        let records = try await consumer.poll(limit: 50, wait: .milliseconds(100))
                        do { try await consumer.commit() } catch StreamFailure.assignmentLost { continue }
                        tally.add(numbers(records))
                    }
                }
            }
            let deadline = ContinuousClock.now + .seconds(30)
            while ContinuousClock.now < deadline {
                let isShared = first.assignment.count == 3 && second.assignment.count == 3
                if isShared, tally.numbers.count == 600 { break }
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(first.assignment.count == 3)
            #expect(Set(first.assignment + second.assignment).count == 6)
            tally.finish()
            try await group.waitForAll()
        }
        #expect(tally.numbers == Array(0..<600))
        // What a member leaves goes to the one who stays, also what it had polled and not committed.
        try await streams.publish(records(600..<700), to: topic)
        let polled = try await poll(second, count: 10)
        #expect(!polled.isEmpty)
        await second.close()
        var rest: Set<Int> = []
        let end = ContinuousClock.now + .seconds(20)
        while rest.count < 100, ContinuousClock.now < end {
            rest.formUnion(numbers(try await first.poll(limit: 100, wait: .milliseconds(200))))
        }
        #expect(rest.sorted() == Array(600..<700))
        #expect(first.assignment.count == 6)
        await streams.close()
    }

    @Test(arguments: StreamEngine.allCases)
    func transactionsMoveEveryRecordExactlyOnce(_ engine: StreamEngine) async throws {
        struct Injected: Error {}
        let store = try engine.store()
        let streams = try await store.open()
        #expect(streams.isTransactional)
        let input = try await store.topic("input", partitions: 3, on: streams)
        let output = try await store.topic("output", partitions: 2, on: streams)
        try await streams.publish(records(0..<300), to: input)
        let consumer = try await streams.consumer(group: "g", topics: [input])
        var random = SystemRandomNumberGenerator()
        var failures = 0
        var done = 0
        let deadline = ContinuousClock.now + .seconds(30)
        while done < 300, ContinuousClock.now < deadline {
            do {
                done += try await streams.transact(consumer, limit: 17, wait: .milliseconds(500)) { records in
                    if failures < 12, Bool.random(using: &random) {
                        failures += 1
                        throw Injected()
                    }
                    return records.map { StreamOutput(topic: output, record: $0.record) }
                }
            } catch is Injected {}
        }
        #expect(done == 300)
        // Too big a record undoes the whole.
        try await streams.publish(records(300..<301), to: input)
        await #expect(throws: StreamFailure.recordTooLarge(bytes: 1_000_001, limit: 1_000_000)) {
            try await streams.transact(consumer, wait: .seconds(5)) { records in
                records.map { StreamOutput(topic: output, record: $0.record) } + [
                    StreamOutput(topic: output, record: StreamRecord(value: Array(repeating: 1, count: 1_000_001)))
                ]
            }
        }
        let last = try await streams.transact(consumer, wait: .seconds(5)) { records in
            records.map { StreamOutput(topic: output, record: $0.record) }
        }
        #expect(last == 1)
        #expect(try await consumer.lag().allSatisfy { $0.records == 0 })
        var moved: [StreamedRecord] = []
        for partition in 0..<2 {
            let end = try await streams.ends(output)[partition]
            var next: Int64 = 0
            while next < end {
                let records = try await streams.read(
                    output, partition: partition, from: next, limit: 500, wait: .milliseconds(500))
                moved += records
                next = records.last.map { $0.position.offset + 1 } ?? end
            }
        }
        #expect(numbers(moved) == Array(0..<301))
        await streams.close()
    }
}

/// Numbers that several consumers saw.
private final class Tally: Sendable {
    private let state = Mutex<(seen: Set<Int>, isDone: Bool)>(([], false))

    var isDone: Bool { state.withLock { $0.isDone } }
    var numbers: [Int] { state.withLock { $0.seen.sorted() } }

    func add(_ numbers: [Int]) { state.withLock { $0.seen.formUnion(numbers) } }
    func finish() { state.withLock { $0.isDone = true } }
}
