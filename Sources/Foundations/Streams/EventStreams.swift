import Basics

/// Durable topics of events with consumer groups: a local log, or Kafka. Every method throws `StreamFailure` and returns
/// within the timeouts of the store.
public protocol EventStreams: Sendable {
    /// Makes a topic. An existing one of as many partitions is left as it is.
    /// - Throws: `StreamFailure.topicDiffers` where it exists with another number of partitions.
    func createTopic(_ name: TopicName, partitions: Int, retention: TopicRetention) async throws

    /// All topics in the order of their names.
    func topics() async throws -> [Topic]

    /// Publishes records and returns when they are acknowledged, each with its place. Records of one call keep their
    /// order in a partition; the key decides the partition as Kafka's Java client does (murmur2).
    ///
    /// A retry inside never doubles a record. A call that throws may have published a part; records of one partition go
    /// in together on the local log.
    @discardableResult
    func publish(_ records: [StreamRecord], to topic: TopicName) async throws -> [StreamPosition]

    /// Reads one partition without a group, starting at the first record at or after `offset`.
    /// - Parameters:
    ///   - offset: an offset before the oldest record means the oldest; the end means to wait for what comes.
    ///   - limit: the most records to return.
    ///   - wait: how long to wait where there is none yet; then the answer is empty.
    /// - Throws: `StreamFailure.offsetOutside` for an offset behind the end.
    func read(
        _ topic: TopicName, partition: Int, from offset: Int64, limit: Int, wait: Duration
    ) async throws -> [StreamedRecord]

    /// Reads what one partition holds by now, starting at the first record at or after `offset`; never waits for what
    /// comes.
    /// - Returns: at most `limit` records; fewer only where the partition ends.
    func held(_ topic: TopicName, partition: Int, from offset: Int64, limit: Int) async throws -> [StreamedRecord]

    /// For each partition the offset of its oldest record.
    func starts(_ topic: TopicName) async throws -> [Int64]

    /// For each partition the offset its next record will have.
    func ends(_ topic: TopicName) async throws -> [Int64]

    /// Joins a group, whose consumers share the partitions of their topics.
    /// - Parameter start: where to begin in partitions the group has committed nothing for.
    func consumer(group: String, topics: [TopicName], start: StreamStart) async throws -> any StreamConsumer

    /// Whether `transact` is to be had.
    var isTransactional: Bool { get }

    /// Publishes `outputs` and commits what `consumer` has polled, both or neither. After a failure nothing of it is
    /// visible; rewind the consumer, or close it where it is fenced.
    /// - Throws: `StreamFailure.assignmentLost` where another consumer took over, `.fenced`, `.transactionFailed`.
    func commit(_ consumer: any StreamConsumer, with outputs: [StreamOutput]) async throws

    /// Whether the store answers, as one sentence for the doctor.
    func check() async throws -> String

    /// Finishes what was begun and closes consumers, producers and files in order. Calls after it throw `.closed`.
    func close() async
}

extension EventStreams {
    /// The same with topics that keep everything.
    public func createTopic(_ name: TopicName, partitions: Int) async throws {
        try await createTopic(name, partitions: partitions, retention: .forever)
    }

    /// The same from the oldest record.
    public func consumer(group: String, topics: [TopicName]) async throws -> any StreamConsumer {
        try await consumer(group: group, topics: topics, start: .oldest)
    }

    /// Consumes, transforms and produces exactly once: polls, hands the records to `transform`, and publishes what it
    /// returns together with the commit. When anything throws, nothing was published and the consumer is rewound, so
    /// that the next call sees the same records again.
    /// - Returns: how many records were consumed; 0 when none came within `wait`.
    @discardableResult
    public func transact(
        _ consumer: any StreamConsumer, limit: Int = 500, wait: Duration = .seconds(1),
        _ transform: ([StreamedRecord]) async throws -> [StreamOutput]
    ) async throws -> Int {
        let records = try await consumer.poll(limit: limit, wait: wait)
        guard !records.isEmpty else { return 0 }
        do {
            try await commit(consumer, with: try await transform(records))
        } catch {
            try? await consumer.rewind()
            throw error
        }
        return records.count
    }
}

/// A member of a consumer group. One task at a time uses it.
///
/// When members come or go, partitions move between them; what was polled and not committed is polled again by the new
/// owner, so records are seen at least once, and exactly once in effect where `transact` is used.
public protocol StreamConsumer: Sendable {
    var group: String { get }

    /// The next records of the partitions this consumer has now, in order within each partition.
    /// - Parameter wait: how long to wait for the first; then the answer is empty.
    func poll(limit: Int, wait: Duration) async throws -> [StreamedRecord]

    /// Keeps durably that everything polled so far is done with.
    /// - Throws: `StreamFailure.assignmentLost` where some of it now belongs to another consumer; the rest is committed.
    func commit() async throws

    /// Goes back to what the group has committed: what was polled since is polled again.
    func rewind() async throws

    /// Goes on at an offset of a partition that this consumer has, whatever the group has committed. What was polled of it
    /// and not committed is forgotten. Without effect where the partition belongs to another consumer by now.
    func seek(_ partition: TopicPartition, to offset: Int64) async throws

    /// Changes whenever partitions come or go: who works by partition looks anew at what it knows of them.
    var generation: UInt64 { get }

    /// How far the group is behind in the partitions this consumer has now.
    func lag() async throws -> [StreamLag]

    /// The partitions this consumer has now.
    var assignment: [TopicPartition] { get }

    /// Leaves the group without committing. Closing twice changes nothing.
    func close() async
}
