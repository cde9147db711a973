import Basics
import Streams
import Telemetry

/// Three records of one key for each item, and a group that moves them to another topic in transactions.
struct LogStorm: StormStore {
    private let streams: any EventStreams
    private let input: TopicName
    private let output: TopicName
    private static let most = 300
    private static let parts = 3
    private static let group = "movers"
    private static let partitions = 2

    init(_ url: StoreURL) async throws {
        streams = try await Streams.open(url, time: SystemTime(), logger: .silent, metrics: MetricsRegistry())
        input = try TopicName("input")
        output = try TopicName("output")
        try await streams.createTopic(input, partitions: Self.partitions)
        try await streams.createTopic(output, partitions: 3)
    }

    func put(_ item: StormItem) async throws {
        let bytes = item.bytes(most: Self.most)
        try await streams.publish(
            (0..<Self.parts).map { part in
                StreamRecord(
                    key: Array("\(item.writer)".utf8), value: bytes, headers: [.init("part", Array("\(part)".utf8))])
            }, to: input)
    }

    func rest(after item: StormItem) async throws -> Bool {
        try await Task.sleep(for: .microseconds(500))
        return false
    }

    func background(_ say: @escaping @Sendable ([StormItem]) -> Void) async throws {
        let consumer = try await streams.consumer(group: Self.group, topics: [input])
        while !Task.isCancelled {
            var moved: [StormItem] = []
            try await streams.transact(consumer, limit: 5, wait: .milliseconds(200)) { records in
                moved = records.compactMap { Self.last($0) }
                return records.map { StreamOutput(topic: output, record: $0.record) }
            }
            if !moved.isEmpty { say(moved) }
        }
    }

    /// The item of which this is the last record.
    private static func last(_ streamed: StreamedRecord) -> StormItem? {
        guard streamed.record.headers.last?.value == Array("\(parts - 1)".utf8) else { return nil }
        return StormItem(streamed.record.value, most: most)
    }

    func survey() async throws -> StormSurvey {
        var survey = StormSurvey()
        survey.isOrdered = true
        let inputs = try await StreamReading.all(streams, input)
        for item in Dictionary(grouping: inputs, by: { StormItem($0.record.value, most: Self.most) }) {
            guard item.key != nil, item.value.count % Self.parts == 0 else {
                survey.faults.append("\(item.value.count) records of \(item.key.map { "\($0)" } ?? "no item")")
                continue
            }
        }
        survey.items = inputs.compactMap(Self.last)
        let outputs = try await StreamReading.all(streams, output)
        survey.effects = outputs.compactMap(Self.last)
        let left = try await notMoved()
        if Self.names(outputs + left) != Self.names(inputs) {
            survey.faults.append("\(inputs.count) records came, \(outputs.count) are moved and \(left.count) are not")
        }
        return survey
    }

    /// What the group has not committed.
    private func notMoved() async throws -> [StreamedRecord] {
        let consumer = try await streams.consumer(group: Self.group, topics: [input])
        var found: [StreamedRecord] = []
        let deadline = SystemTime.monotonicNanoseconds + 20_000_000_000
        while true {
            let more = try await consumer.poll(limit: 5000, wait: .zero)
            found += more
            if more.isEmpty, consumer.assignment.count == Self.partitions { break }
            guard SystemTime.monotonicNanoseconds < deadline else { throw StormFailure.stuck("the group's rest") }
        }
        await consumer.close()
        return found
    }

    private static func names(_ records: [StreamedRecord]) -> [String] {
        records.map { streamed in
            let part = streamed.record.headers.last.map { String(decoding: $0.value, as: UTF8.self) } ?? ""
            return (StormItem(streamed.record.value, most: most)?.description ?? "") + "/" + part
        }.sorted()
    }

    func close() async { await streams.close() }
}

/// Records of a cluster that one process after another publishes.
struct KafkaStorm: StormStore {
    private let streams: any EventStreams
    private let topic: TopicName
    private static let most = 300

    init(_ url: StoreURL) async throws {
        streams = try await Streams.open(url, time: SystemTime(), logger: .silent, metrics: MetricsRegistry())
        topic = try TopicName("storm")
    }

    func put(_ item: StormItem) async throws {
        try await streams.publish(
            [StreamRecord(key: Array("\(item.writer)".utf8), value: item.bytes(most: Self.most))], to: topic)
    }

    func survey() async throws -> StormSurvey {
        var survey = StormSurvey()
        survey.isOrdered = true
        for streamed in try await StreamReading.all(streams, topic) {
            survey.add(streamed.record.value, most: Self.most)
        }
        return survey
    }

    func close() async { await streams.close() }
}

enum StreamReading {
    /// Everything in a topic, one partition after another.
    static func all(_ streams: any EventStreams, _ topic: TopicName) async throws -> [StreamedRecord] {
        var records: [StreamedRecord] = []
        for (partition, end) in try await streams.ends(topic).enumerated() {
            var next: Int64 = 0
            while next < end {
                let more = try await streams.read(
                    topic, partition: partition, from: next, limit: 5000, wait: .seconds(2))
                records += more
                next = (more.last?.position.offset ?? end) + 1
            }
        }
        return records
    }
}
