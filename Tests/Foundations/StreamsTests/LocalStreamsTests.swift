import Basics
import Engines
import Foundation
import ObjectStorage
import Telemetry
import TestSupport
import Testing

@testable import Streams

/// What only the local log promises: its files.
@Suite struct LocalStreamsTests {
    private func open(
        _ folder: TemporaryFolder, _ options: LocalStreams.Options = .init(), time: any TimeSource = SystemTime()
    ) throws -> LocalStreams {
        try LocalStreams(
            folder: folder.path, options: options, time: time, logger: .silent, metrics: MetricsRegistry())
    }

    private func all(_ streams: any EventStreams, _ topic: TopicName, _ partition: Int = 0) async throws
        -> [StreamedRecord]
    {
        var records: [StreamedRecord] = []
        var next: Int64 = 0
        while true {
            let more = try await streams.read(topic, partition: partition, from: next, limit: 1000, wait: .zero)
            guard let last = more.last else { return records }
            records += more
            next = last.position.offset + 1
        }
    }

    @Test func oneProcessAtATimeAndReopening() async throws {
        let folder = try TemporaryFolder()
        let topic = try TopicName("a.b_c-D")
        var streams = try open(folder)
        try await streams.createTopic(topic, partitions: 1)
        #expect(throws: StreamFailure.inUse(path: "\(folder.path)/commits")) { try open(folder) }
        var count = 0
        for round in 0..<4 {
            let positions = try await streams.publish(
                (0..<50).map { StreamRecord(key: "k", value: "\($0)") }, to: topic)
            #expect(positions.map(\.offset) == Array(Int64(round * 50)..<Int64(round * 50 + 50)))
            count += 50
            await streams.close()
            streams = try open(folder)
            #expect(try await all(streams, topic).count == count)
        }
        await streams.close()
    }

    @Test func acknowledgedMeansFlushedWhereAskedFor() async throws {
        let folder = try TemporaryFolder()
        var options = LocalStreams.Options()
        options.isDurable = true
        let streams = try open(folder, options)
        let topic = try TopicName("durable")
        try await streams.createTopic(topic, partitions: 2)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for publisher in 0..<32 {
                group.addTask { try await streams.publish([StreamRecord(key: "\(publisher)", value: "x")], to: topic) }
            }
            try await group.waitForAll()
        }
        let consumer = try await streams.consumer(group: "g", topics: [topic])
        #expect(try await consumer.poll(limit: 100, wait: .seconds(1)).count == 32)
        try await consumer.commit()
        #expect(try await consumer.lag().allSatisfy { $0.records == 0 })
        await streams.close()
    }

    @Test func aTransactionThatACrashCutOffIsFinishedOrAbsent() async throws {
        let folder = try TemporaryFolder()
        let (input, output) = (try TopicName("in"), try TopicName("out"))
        var streams = try open(folder)
        try await streams.createTopic(input, partitions: 1)
        try await streams.createTopic(output, partitions: 2)
        try await streams.publish([StreamRecord(key: "a", value: "1"), StreamRecord(key: "b", value: "2")], to: input)
        // The record of the commit is there, and the process died before the outputs were.
        let ids = (0..<2).map { TopicPartition(topic: output, partition: $0) }
        let now = SystemTime().now
        var entry = CommitLog.Entry(offsets: ["g": [TopicPartition(topic: input, partition: 0): 2]])
        for id in ids {
            let batch = RecordBatch([StreamRecord(key: "k", value: "\(id)")], now: now)
            entry.batches.append((id, try streams.partition(id).place(batch, now: now)))
        }
        try streams.commits.append(entry)
        try streams.partition(ids[0]).append(entry.batches[0].bytes)
        await streams.close()
        for _ in 0..<3 {
            streams = try open(folder)
            for id in ids { #expect(try await all(streams, output, id.partition).count == 1) }
            let consumer = try await streams.consumer(group: "g", topics: [input])
            #expect(try await consumer.poll(limit: 9, wait: .milliseconds(20)).isEmpty)
            await consumer.close()
            await streams.close()
        }
    }

    @Test func theLogOfCommitsStaysSmall() async throws {
        let folder = try TemporaryFolder()
        var streams = try open(folder)
        let (input, output) = (try TopicName("in"), try TopicName("out"))
        try await streams.createTopic(input, partitions: 1)
        try await streams.createTopic(output, partitions: 1)
        let consumer = try await streams.consumer(group: "g", topics: [input])
        let value = Array(repeating: UInt8(3), count: 200_000)
        for _ in 0..<30 {
            try await streams.publish([StreamRecord(value: value)], to: input)
            try await streams.transact(consumer) { $0.map { StreamOutput(topic: output, record: $0.record) } }
        }
        let commits = try FileManager.default.contentsOfDirectory(atPath: folder("commits"))
        #expect(commits.count < 10)
        await streams.close()
        streams = try open(folder)
        #expect(try await streams.ends(output) == [30])
        #expect(streams.commits.offsets("g").values.map { $0 } == [30])
        await streams.close()
    }

    @Test func retentionBySizeKeepsTheNewest() async throws {
        let folder = try TemporaryFolder()
        var streams = try open(folder)
        let topic = try TopicName("sized")
        try await streams.createTopic(topic, partitions: 1, retention: TopicRetention(bytes: 400_000))
        for round in 0..<100 {
            let value = Array(repeating: UInt8(round), count: 20_000)
            try await streams.publish([StreamRecord(value: value)], to: topic)
        }
        await streams.maintain()
        for _ in 0..<2 {
            let start = try await streams.starts(topic)[0]
            // A segment holds about a quarter of the bound, and only whole ones go.
            #expect(start >= 70 && start <= 81, "\(start)")
            let kept = try await all(streams, topic)
            #expect(kept.map(\.position.offset) == Array(start..<100))
            #expect(kept.first?.record.value.first == UInt8(start))
            await streams.close()
            streams = try open(folder)
        }
        await streams.close()
    }

    @Test func retentionByAgeAndAClockThatGoesBack() async throws {
        let folder = try TemporaryFolder()
        let clock = SettableTime(Timestamp(seconds: 1_800_000_000))
        var options = LocalStreams.Options()
        options.segmentBytes = 4096
        let streams = try open(folder, options, time: clock)
        let topic = try TopicName("aged")
        try await streams.createTopic(topic, partitions: 1, retention: TopicRetention(seconds: 3600))
        func publish(_ count: Int) async throws {
            for _ in 0..<count {
                try await streams.publish([StreamRecord(value: Array(repeating: 0, count: 70_000))], to: topic)
            }
        }
        try await publish(10)
        // The clock goes back an hour: nothing is removed early, and offsets go on.
        clock.set(Timestamp(seconds: 1_800_000_000 - 3600))
        try await publish(10)
        clock.set(Timestamp(seconds: 1_800_000_000 + 1))
        await streams.maintain()
        #expect(try await streams.starts(topic) == [0])
        #expect(try await all(streams, topic).map(\.position.offset) == Array(0..<20))
        clock.set(Timestamp(seconds: 1_800_000_000 + 3000))
        try await publish(5)
        clock.set(Timestamp(seconds: 1_800_000_000 + 3700))
        await streams.maintain()
        #expect(try await streams.starts(topic) == [20])
        // A group that stood before starts at the oldest there is.
        let consumer = try await streams.consumer(group: "late", topics: [topic])
        #expect(try await consumer.poll(limit: 1, wait: .seconds(1)).first?.position.offset == 20)
        await streams.close()
    }

    @Test func damageIsToldWithFileAndByte() async throws {
        let random = SeededRandom(seed: 7)
        for _ in 0..<40 {
            let folder = try TemporaryFolder()
            let topic = try TopicName("t")
            let streams = try open(folder)
            try await streams.createTopic(topic, partitions: 1)
            for index in 0..<30 {
                try await streams.publish([StreamRecord(key: "k", value: "value \(index)")], to: topic)
            }
            await streams.close()
            let path = folder("topics/t/0/0000000000000000000.records")
            var bytes = try AtomicFile.read(path)
            let place = Int(random.next() % UInt64(bytes.count))
            if random.next() % 2 == 0 {
                bytes.removeSubrange(place...)
                try Data(bytes).write(to: URL(fileURLWithPath: path))
                // A cut end is what a crash leaves: whole records before it stay.
                let again = try open(folder)
                let kept = try await all(again, topic)
                #expect(kept.map(\.position.offset) == Array(0..<Int64(kept.count)))
                await again.close()
            } else {
                bytes[place] ^= UInt8(1 << (random.next() % 8))
                try Data(bytes).write(to: URL(fileURLWithPath: path))
                do {
                    let again = try open(folder)
                    // Only damage of the last record can not be told from a crash.
                    #expect(try await all(again, topic).count >= 29)
                    await again.close()
                } catch StreamFailure.damaged(let file, let offset, _) {
                    #expect(file == path && offset <= place)
                }
            }
        }
    }

    @Test func aSegmentCutBelowWhatWasFlushedIsToldOf() async throws {
        let folder = try TemporaryFolder()
        let topic = try TopicName("t")
        let streams = try open(folder)
        try await streams.createTopic(topic, partitions: 1)
        let value = Array(repeating: UInt8(1), count: 900_000)
        for _ in 0..<12 { try await streams.publish([StreamRecord(value: value)], to: topic) }
        await streams.close()
        let path = folder("topics/t/0/0000000000000000000.records")
        let bytes = try AtomicFile.read(path)
        try Data(bytes[..<(bytes.count / 2)]).write(to: URL(fileURLWithPath: path))
        #expect {
            try open(folder)
        } throws: { error in
            guard case StreamFailure.damaged(_, let offset, _) = error else { return false }
            return offset > 0
        }
    }

    @Test(.enabled(if: SmallDisk.isPermitted, "needs the right to mount"))
    func aFullDiskLosesNothingAndIsOverWhenThereIsRoom() async throws {
        let disk = try SmallDisk(kilobytes: 1024)
        let path = "\(disk.path)/streams"
        let streams = try LocalStreams(
            folder: path, options: .init(), time: SystemTime(), logger: .silent, metrics: MetricsRegistry())
        let (input, output) = (try TopicName("in"), try TopicName("out"))
        try await streams.createTopic(input, partitions: 1)
        try await streams.createTopic(output, partitions: 1)
        try await streams.publish((0..<10).map { StreamRecord(key: "k", value: "\($0)") }, to: input)
        let ballast = "\(disk.path)/ballast"
        #expect(throws: (any Error).self) {
            try Data(repeating: 0, count: 4 << 20).write(to: URL(fileURLWithPath: ballast))
        }
        let consumer = try await streams.consumer(group: "g", topics: [input])
        var acknowledged = 10
        var refusals = 0
        for index in 10..<400 {
            do {
                try await streams.publish(
                    [StreamRecord(value: Array(repeating: UInt8(truncatingIfNeeded: index), count: 3000))], to: input)
                acknowledged += 1
            } catch StreamFailure.storage(.diskFull) { refusals += 1 }
        }
        #expect(refusals > 0)
        var moved = 0
        do {
            while moved < acknowledged {
                moved += try await streams.transact(consumer, limit: 3) { records in
                    records.map { StreamOutput(topic: output, record: $0.record) }
                }
            }
        } catch StreamFailure.storage(.diskFull) {}
        try? FileManager.default.removeItem(atPath: ballast)
        while moved < acknowledged {
            let count = try await streams.transact(consumer, limit: 3) { records in
                records.map { StreamOutput(topic: output, record: $0.record) }
            }
            guard count > 0 else { break }
            moved += count
        }
        #expect(moved == acknowledged)
        #expect(try await streams.ends(input) == [Int64(acknowledged)])
        #expect(try await streams.ends(output) == [Int64(acknowledged)])
        await streams.close()
    }
}

/// A clock that tests set to any moment, also backwards.
private final class SettableTime: TimeSource {
    private let inner: Setting

    init(_ start: Timestamp) { inner = Setting(start) }

    var now: Timestamp { inner.value }

    func set(_ moment: Timestamp) { inner.value = moment }

    private final class Setting: @unchecked Sendable {
        private let lock = NSLock()
        private var moment: Timestamp

        init(_ moment: Timestamp) { self.moment = moment }

        var value: Timestamp {
            get { lock.withLock { moment } }
            set { lock.withLock { moment = newValue } }
        }
    }
}
