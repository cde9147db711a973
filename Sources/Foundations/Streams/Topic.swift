/// How long a topic keeps its records. The oldest go first, in whole segments, and the newest segment always stays.
public struct TopicRetention: Hashable, Sendable, Codable {
    /// Records older than this may go. Nil keeps them for ever.
    public let seconds: Int64?
    /// A partition over this many bytes drops its oldest records. Nil sets no bound.
    public let bytes: Int64?

    public init(seconds: Int64? = nil, bytes: Int64? = nil) {
        self.seconds = seconds.map { max(1, $0) }
        self.bytes = bytes.map { max(1, $0) }
    }

    /// Keeps everything.
    public static let forever = TopicRetention()
}

/// A topic as a store tells of it.
public struct Topic: Hashable, Sendable {
    public let name: TopicName
    public let partitions: Int

    public init(name: TopicName, partitions: Int) {
        self.name = name
        self.partitions = partitions
    }
}

/// How far a group is behind in one partition.
public struct StreamLag: Hashable, Sendable {
    public let partition: TopicPartition
    /// The first record the group has not committed.
    public let committed: Int64
    /// Where the next record will stand.
    public let end: Int64
    /// Records between the two. Kafka counts the markers of transactions too.
    public var records: Int64 { max(0, end.subtractingReportingOverflow(committed).partialValue) }

    public init(partition: TopicPartition, committed: Int64, end: Int64) {
        self.partition = partition
        self.committed = committed
        self.end = end
    }
}

/// Where a group starts in a partition it has committed nothing for.
public enum StreamStart: String, Sendable, Codable, CaseIterable {
    case oldest
    case newest
}
