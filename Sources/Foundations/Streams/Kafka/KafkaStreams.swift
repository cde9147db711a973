import Basics
import CKafka
import Foundation
import Synchronization
import Telemetry

/// Topics of a Kafka cluster, through librdkafka.
final class KafkaStreams: EventStreams {
    private struct State {
        var producer: KafkaProducer?
        var topics: [TopicName: (partitions: Int, known: UInt64)] = [:]
        var consumers: [WeakConsumer] = []
        var isClosed = false
    }

    private struct WeakConsumer {
        weak var consumer: KafkaConsumer?
        let group: String
        let ordinal: Int
    }

    private let settings: KafkaSettings
    private let time: any TimeSource
    private let logger: Logger
    private let metrics: StreamMetrics
    private let state = Mutex(State())
    private let threads = BlockingThreads(name: "kafka.calls")
    private let readers: KafkaReaders
    private let turn = Atomic<UInt64>(0)
    private static let recordsPerTurn = 256
    /// Partitions may be added to a topic by others; for this long their number is taken as known.
    private static let topicNanoseconds: UInt64 = 60_000_000_000

    init(_ settings: KafkaSettings, time: any TimeSource, logger: Logger, metrics: MetricsRegistry) {
        let metrics = StreamMetrics(metrics, engine: "kafka")
        self.settings = settings
        self.time = time
        self.logger = logger
        self.metrics = metrics
        readers = KafkaReaders {
            let own = settings.consumer(group: "\(settings.prefix)modelworks-readers", start: .oldest)
            return try KafkaClient(.consumer(KafkaAssignment()), settings, own, logger: logger, metrics: metrics)
        }
    }

    var isTransactional: Bool { true }

    func createTopic(_ name: TopicName, partitions: Int, retention: TopicRetention) async throws {
        guard partitions > 0 else { throw StreamFailure.invalidArgument("a topic has at least 1 partition") }
        try checkLength(name)
        for attempt in 0..<2 {
            if let known = try await refresh()[name] {
                guard known == partitions else {
                    throw StreamFailure.topicDiffers(name.text, has: known, wanted: partitions)
                }
                return
            }
            // Made by another process in between, it is looked at once more.
            if attempt == 0 { try await make(name, partitions: partitions, retention: retention) }
        }
        // The broker took it and the others learn of it a little later.
        let deadline = SystemTime.monotonicNanoseconds &+ UInt64(settings.callMilliseconds) * 1_000_000
        while try await refresh()[name] == nil {
            guard SystemTime.monotonicNanoseconds < deadline else {
                throw StreamFailure.timedOut(action: "making the topic '\(name)'", store: settings.name)
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func topics() async throws -> [Topic] {
        try await refresh().map { Topic(name: $0.key, partitions: $0.value) }.sorted { $0.name < $1.name }
    }

    @discardableResult
    func publish(_ records: [StreamRecord], to topic: TopicName) async throws -> [StreamPosition] {
        try await metrics.publishing(records.count) {
            let partitions = try await split(records.map { StreamOutput(topic: topic, record: $0) })
            guard !records.isEmpty else { return [] }
            let offsets = try await producer().publish(records, to: topic, partitions: partitions)
            return zip(partitions, offsets).map { StreamPosition(topic: topic, partition: $0, offset: $1) }
        }
    }

    func read(
        _ topic: TopicName, partition: Int, from offset: Int64, limit: Int, wait: Duration
    ) async throws -> [StreamedRecord] {
        try await read(topic, partition: partition, from: offset, limit: limit, wait: wait, stopsAtEnd: false)
    }

    func held(_ topic: TopicName, partition: Int, from offset: Int64, limit: Int) async throws -> [StreamedRecord] {
        try await read(
            topic, partition: partition, from: offset, limit: limit,
            wait: .milliseconds(Int64(settings.callMilliseconds)), stopsAtEnd: true)
    }

    private func read(
        _ topic: TopicName, partition: Int, from offset: Int64, limit: Int, wait: Duration, stopsAtEnd: Bool
    ) async throws -> [StreamedRecord] {
        let count = try await partitions(of: topic)
        guard (0..<count).contains(partition) else {
            throw StreamFailure.unknownPartition(topic: topic.text, partition: partition, has: count)
        }
        let place = KafkaPartition(topic: settings.prefix + topic.text, partition: Int32(clamping: partition))
        let found = try readers.take(place, offset)
        // The end is told once to who begins to read, so what only looks at what is there begins anew.
        let (reader, stands) = (found.reader, found.stands && !stopsAtEnd)
        let deadline = SystemTime.monotonicNanoseconds &+ UInt64(wait.clampedNanoseconds)
        var first = offset
        do {
            if !stands {
                let ends = try await threads.run { [self] in
                    let client = try producer().client
                    let end = try KafkaOffsets.list([place], .end, with: client)[place] ?? 0
                    return (try KafkaOffsets.list([place], .start, with: client)[place] ?? 0, end)
                }
                guard offset <= ends.1 else {
                    throw StreamFailure.offsetOutside(
                        topic: topic.text, partition: partition, offset: offset, end: ends.1)
                }
                first = max(offset, ends.0)
                if stopsAtEnd, first >= ends.1 {
                    readers.give(reader)
                    return []
                }
            }
            var records: [StreamedRecord] = []
            var isFirst = !stands
            while true {
                let now = SystemTime.monotonicNanoseconds
                let left = Int64(clamping: now < deadline ? (deadline - now + 999_999) / 1_000_000 : 0)
                let (from, isNew) = (first, isFirst)
                let rest = limit - records.count
                let taken = try await reader.thread.run {
                    try KafkaReaders.read(
                        reader, place, from: from, stands: !isNew, limit: rest,
                        milliseconds: Int32(clamping: min(left, 250)), stopsAtEnd: stopsAtEnd)
                }
                isFirst = false
                records += taken.records
                let isEnough = stopsAtEnd ? taken.isAtEnd || records.count >= limit : !records.isEmpty
                guard isEnough || !stopsAtEnd || left > 0 else {
                    throw StreamFailure.timedOut(action: "reading '\(topic)'", store: settings.name)
                }
                if isEnough || left == 0 || limit < 1 {
                    readers.give(reader)
                    metrics.consumed.increment(by: UInt64(records.count))
                    return records
                }
                try Task.checkCancellation()
                _ = try producer()
            }
        } catch {
            reader.client.stop()
            throw error
        }
    }

    func starts(_ topic: TopicName) async throws -> [Int64] { try await offsets(topic, .start) }

    func ends(_ topic: TopicName) async throws -> [Int64] { try await offsets(topic, .end) }

    func consumer(group: String, topics: [TopicName], start: StreamStart) async throws -> any StreamConsumer {
        guard !group.isEmpty, !topics.isEmpty else {
            throw StreamFailure.invalidArgument("a consumer needs a group and at least one topic")
        }
        for topic in topics { _ = try await partitions(of: topic) }
        let assignment = KafkaAssignment()
        let client = try KafkaClient(
            .consumer(assignment), settings, settings.consumer(group: settings.prefix + group, start: start),
            logger: logger, metrics: metrics)
        return try state.withLock { state in
            guard !state.isClosed else { throw StreamFailure.closed(store: settings.name) }
            state.consumers.removeAll { $0.consumer == nil }
            let taken = Set(state.consumers.filter { $0.group == group }.map(\.ordinal))
            let ordinal = (0...taken.count).first { !taken.contains($0) } ?? taken.count
            let id = "\(settings.prefix)\(group).\(settings.clientID).\(ordinal)"
            let (settings, logger, metrics) = (settings, logger, metrics)
            let transactions = KafkaTransactions(id: id, time: time) {
                let own = settings.producer.merging(["transactional.id": id, "linger.ms": "0"]) { $1 }
                return try KafkaClient(.producer, settings, own, logger: logger, metrics: metrics)
            }
            let consumer = try KafkaConsumer(
                client, state: assignment, group: group, topics: topics, start: start, transactions: transactions,
                metrics: metrics)
            state.consumers.append(WeakConsumer(consumer: consumer, group: group, ordinal: ordinal))
            return consumer
        }
    }

    func commit(_ consumer: any StreamConsumer, with outputs: [StreamOutput]) async throws {
        guard let consumer = consumer as? KafkaConsumer, consumer.client.settings.name == settings.name else {
            throw StreamFailure.foreignConsumer(group: consumer.group)
        }
        let partitions = try await split(outputs)
        try await consumer.inTurn {
            let (offsets, hasLost) = consumer.state.uncommitted()
            guard !hasLost else { throw StreamFailure.assignmentLost(group: consumer.group) }
            guard !offsets.isEmpty || !outputs.isEmpty else { return }
            try consumer.transactions.commit(outputs, partitions: partitions, offsets, of: consumer)
            consumer.state.noteCommitted(offsets)
        }
        metrics.published.increment(by: UInt64(outputs.count))
    }

    func check() async throws -> String {
        // A broker that is away is not to be waited for longer than a connection may take.
        let count: Int
        do { count = try await refresh(within: settings.connectMilliseconds).count } catch StreamFailure.timedOut {
            throw StreamFailure.unreachable(
                store: settings.name, reason: "it said nothing within \(settings.connectMilliseconds) ms")
        }
        let version = String(cString: rd_kafka_version_str())
        return "Kafka at '\(settings.name)' answers: \(count) topics of this prefix (librdkafka \(version))"
    }

    func close() async {
        let (producer, consumers) = state.withLock { state in
            defer {
                state.isClosed = true
                state.producer = nil
                state.consumers = []
            }
            return (state.producer, state.consumers.compactMap(\.consumer))
        }
        for consumer in consumers { await consumer.close() }
        await readers.close()
        await producer?.close()
    }

    /// The producer; one that the library gave up is replaced.
    private func producer() throws -> KafkaProducer {
        try state.withLock { state in
            guard !state.isClosed else { throw StreamFailure.closed(store: settings.name) }
            if let producer = state.producer, !producer.hasFailed { return producer }
            if state.producer != nil { logger.warning("the Kafka producer failed and is made anew") }
            let client = try KafkaClient(.producer, settings, settings.producer, logger: logger, metrics: metrics)
            let producer = KafkaProducer(client, time: time)
            state.producer = producer
            return producer
        }
    }

    private func partitions(of topic: TopicName) async throws -> Int {
        let now = SystemTime.monotonicNanoseconds
        let known = state.withLock { $0.topics[topic] }
        if let known, now &- known.known < KafkaStreams.topicNanoseconds { return known.partitions }
        guard let count = try await refresh()[topic] else { throw StreamFailure.unknownTopic(topic.text) }
        return count
    }

    /// Asks the cluster for its topics. Asking for one by name would make it where the broker is set up so.
    private func refresh(within limit: Int32? = nil) async throws -> [TopicName: Int] {
        let client = try producer().client
        let settings = settings
        let topics = try await threads.run {
            var list: UnsafePointer<rd_kafka_metadata>?
            let code = rd_kafka_metadata(client.handle.pointer, 1, nil, &list, limit ?? settings.callMilliseconds)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { throw client.failure(code, "listing topics") }
            defer { rd_kafka_metadata_destroy(list) }
            client.reports.noteSuccess()
            return KafkaStreams.topics(list.pointee, prefix: settings.prefix)
        }
        let now = SystemTime.monotonicNanoseconds
        state.withLock { state in state.topics = topics.mapValues { ($0, now) } }
        return topics
    }

    private static func topics(_ metadata: rd_kafka_metadata, prefix: String) -> [TopicName: Int] {
        guard let first = metadata.topics else { return [:] }
        var topics: [TopicName: Int] = [:]
        for topic in UnsafeBufferPointer(start: first, count: Int(max(0, metadata.topic_cnt))) {
            guard topic.err == RD_KAFKA_RESP_ERR_NO_ERROR, let text = topic.topic else { continue }
            let name = String(cString: text)
            guard name.hasPrefix(prefix), !name.hasPrefix("__"),
                let own = try? TopicName(String(name.dropFirst(prefix.count)))
            else { continue }
            topics[own] = Int(max(0, topic.partition_cnt))
        }
        return topics
    }

    private func make(_ name: TopicName, partitions: Int, retention: TopicRetention) async throws {
        let client = try producer().client
        let settings = settings
        try await threads.run {
            try KafkaAdmin.create(
                settings.prefix + name.text, partitions: partitions, retention: retention, with: client)
        }
    }

    private func offsets(_ topic: TopicName, _ end: KafkaOffsets.End) async throws -> [Int64] {
        let count = try await partitions(of: topic)
        let client = try producer().client
        let name = settings.prefix + topic.text
        return try await threads.run {
            let partitions = (0..<count).map { KafkaPartition(topic: name, partition: Int32(clamping: $0)) }
            let offsets = try KafkaOffsets.list(Set(partitions), end, with: client)
            return partitions.map { offsets[$0] ?? 0 }
        }
    }

    /// For each record its partition.
    private func split(_ outputs: [StreamOutput]) async throws -> [Int] {
        var counts: [TopicName: Int] = [:]
        let first = turn.wrappingAdd(1, ordering: .relaxed).oldValue
        var spread = 0
        var partitions: [Int] = []
        for output in outputs {
            let bytes = output.record.payloadBytes
            guard bytes <= settings.recordBytes else {
                throw StreamFailure.recordTooLarge(bytes: bytes, limit: settings.recordBytes)
            }
            var count = counts[output.topic] ?? 0
            if count == 0 {
                count = try await self.partitions(of: output.topic)
                counts[output.topic] = count
            }
            if let chosen = output.partition {
                guard (0..<count).contains(chosen) else {
                    throw StreamFailure.unknownPartition(topic: output.topic.text, partition: chosen, has: count)
                }
                partitions.append(chosen)
            } else if let key = output.record.key {
                partitions.append(Partitioner.partition(key: key, count: count))
            } else {
                partitions.append(
                    Int((first &+ UInt64(spread / KafkaStreams.recordsPerTurn)) % UInt64(max(1, count))))
                spread += 1
            }
        }
        return partitions
    }

    private func checkLength(_ name: TopicName) throws {
        guard (settings.prefix + name.text).utf8.count <= TopicName.lengthLimit else {
            throw StreamFailure.invalidTopic(name.text, reason: "with the prefix '\(settings.prefix)' it is too long")
        }
    }
}
