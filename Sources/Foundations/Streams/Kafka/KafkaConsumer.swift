import Basics
import CKafka
import Foundation
import Synchronization
import Telemetry

/// A member of a Kafka consumer group.
final class KafkaConsumer: StreamConsumer {
    let group: String
    let client: KafkaClient
    let state: KafkaAssignment
    /// Where this consumer's transactions go through, made when the first is wanted.
    let transactions: KafkaTransactions
    private let start: StreamStart
    private let metrics: StreamMetrics
    private let thread: BlockingThread
    private let isClosed = Atomic<Bool>(false)
    private static let slice: Int64 = 250

    init(
        _ client: KafkaClient, state: KafkaAssignment, group: String, topics: [TopicName], start: StreamStart,
        transactions: KafkaTransactions, metrics: StreamMetrics
    ) throws {
        self.client = client
        self.state = state
        self.group = group
        self.start = start
        self.transactions = transactions
        self.metrics = metrics
        thread = BlockingThread(name: "kafka.consumer.\(group)")
        let names = topics.map { KafkaPartition(topic: client.settings.prefix + $0.text, partition: -1) }
        let code = try KafkaPartitions.with(Dictionary(names.map { ($0, 0) }, uniquingKeysWith: { $1 })) {
            rd_kafka_subscribe(client.handle.pointer, $0)
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw client.failure(code, "joining the group '\(group)'") }
    }

    func poll(limit: Int, wait: Duration) async throws -> [StreamedRecord] {
        guard limit > 0 else { return [] }
        let deadline = SystemTime.monotonicNanoseconds &+ UInt64(wait.clampedNanoseconds)
        while true {
            let records = try await thread.run { [self] in
                guard !isClosed.load(ordering: .acquiring) else { throw StreamFailure.closed(store: group) }
                let now = SystemTime.monotonicNanoseconds
                let left = now < deadline ? Int64(clamping: (deadline - now + 999_999) / 1_000_000) : 0
                let source = KafkaSource(client: client, state: state)
                return try source.take(limit: limit, milliseconds: Int32(clamping: min(left, KafkaConsumer.slice)))
                    .records
            }
            guard records.isEmpty, SystemTime.monotonicNanoseconds < deadline else {
                metrics.consumed.increment(by: UInt64(records.count))
                return records
            }
            try Task.checkCancellation()
        }
    }

    func commit() async throws {
        let (offsets, hasLost) = state.uncommitted()
        if !offsets.isEmpty {
            try await thread.run { [self] in try commit(offsets) }
            state.noteCommitted(offsets)
        }
        state.clearLost()
        if hasLost { throw StreamFailure.assignmentLost(group: group) }
    }

    func rewind() async throws {
        try await thread.run { [self] in
            let polled = state.polled
            let known = state.committed
            var targets = known.filter { polled.contains($0.key) }
            let unknown = polled.filter { known[$0] == nil }
            if !unknown.isEmpty { targets.merge(try stored(unknown)) { $1 } }
            guard !targets.isEmpty else { return state.noteRewound([:]) }
            try move(targets)
            state.noteRewound(targets.filter { $0.value >= 0 })
        }
    }

    func seek(_ partition: TopicPartition, to offset: Int64) async throws {
        let place = KafkaPartition(
            topic: client.settings.prefix + partition.topic.text, partition: Int32(clamping: partition.partition))
        try await thread.run { [self] in
            guard state.partitions.contains(place) else { return }
            try move([place: offset])
            state.noteSought(place, offset)
        }
    }

    var generation: UInt64 { state.generation }

    func lag() async throws -> [StreamLag] {
        let lag = try await thread.run { [self] in
            let partitions = state.partitions
            guard !partitions.isEmpty else { return [StreamLag]() }
            let ends = try KafkaOffsets.list(partitions, .end, with: client)
            let starts = try KafkaOffsets.list(partitions, .start, with: client)
            let stored = try stored(partitions)
            let known = state.committed
            return try partitions.map { partition in
                let end = ends[partition] ?? 0
                let first = start == .oldest ? starts[partition] ?? 0 : known[partition] ?? end
                let committed = max(stored[partition].flatMap { $0 >= 0 ? $0 : nil } ?? first, known[partition] ?? 0)
                return StreamLag(partition: try own(partition), committed: committed, end: end)
            }
        }
        metrics.show(lag, group: group)
        return lag.sorted { $0.partition < $1.partition }
    }

    var assignment: [TopicPartition] { state.partitions.compactMap { try? own($0) }.sorted() }

    func close() async {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        // What still polls ends first.
        _ = try? await thread.run {}
        await transactions.close()
        await client.close()
    }

    /// Runs a call of the transactions in turn with the other calls of this consumer.
    func inTurn<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await thread.run { [self] in
            guard !isClosed.load(ordering: .acquiring) else { throw StreamFailure.closed(store: group) }
            return try body()
        }
    }

    private func own(_ partition: KafkaPartition) throws -> TopicPartition {
        TopicPartition(
            topic: try TopicName(String(partition.topic.dropFirst(client.settings.prefix.count))),
            partition: Int(partition.partition))
    }

    private func move(_ targets: [KafkaPartition: Int64]) throws {
        try KafkaPartitions.with(targets) { list in
            let failure = rd_kafka_seek_partitions(client.handle.pointer, list, client.settings.callMilliseconds)
            let code = failure.map { rd_kafka_error_code($0) } ?? KafkaPartitions.error(in: list)
            if let failure { rd_kafka_error_destroy(failure) }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw client.failure(code, "moving in the partitions of the group '\(group)'")
            }
        }
    }

    /// What the broker has for the group; a negative offset where there is nothing.
    private func stored(_ partitions: Set<KafkaPartition>) throws -> [KafkaPartition: Int64] {
        try KafkaPartitions.with(Dictionary(partitions.map { ($0, -1) }, uniquingKeysWith: { $1 })) { list in
            var code = rd_kafka_committed(client.handle.pointer, list, client.settings.callMilliseconds)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { code = KafkaPartitions.error(in: list) }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw client.failure(code, "asking what '\(group)' has committed")
            }
            let none = start == .oldest ? Int64(RD_KAFKA_OFFSET_BEGINNING) : Int64(RD_KAFKA_OFFSET_END)
            return KafkaPartitions.read(list).mapValues { $0 >= 0 ? $0 : none }
        }
    }

    private func commit(_ offsets: [KafkaPartition: Int64]) throws {
        guard !isClosed.load(ordering: .acquiring) else { throw StreamFailure.closed(store: group) }
        let handle = client.handle.pointer
        guard let queue = rd_kafka_queue_new(handle) else { return }
        defer { rd_kafka_queue_destroy(queue) }
        // Unlike the library's own synchronous commit, waiting for the event has a bound.
        var code = try KafkaPartitions.with(offsets) { rd_kafka_commit_queue(handle, $0, queue, nil, nil) }
        if code == RD_KAFKA_RESP_ERR_NO_ERROR {
            code = RD_KAFKA_RESP_ERR__TIMED_OUT
            if let event = rd_kafka_queue_poll(queue, client.settings.callMilliseconds) {
                code = rd_kafka_event_error(event)
                rd_kafka_event_destroy(event)
            }
        }
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        throw KafkaErrors.isLost(code)
            ? StreamFailure.assignmentLost(group: group)
            : client.failure(code, "committing for the group '\(group)'")
    }
}
