import Basics

/// One event of a topic.
public struct StreamRecord: Hashable, Sendable {
    /// A name and bytes that travel beside the value, such as a trace id. Names may repeat.
    public struct Header: Hashable, Sendable {
        public let name: String
        public let value: [UInt8]

        public init(_ name: String, _ value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// Records of one key keep their order. Nil spreads records over the partitions.
    public var key: [UInt8]?
    public var value: [UInt8]
    public var headers: [Header]
    /// When the event happened, kept in whole milliseconds. Nil means the moment of publishing; a record read back always
    /// has one.
    public var timestamp: Timestamp?

    public init(key: [UInt8]? = nil, value: [UInt8], headers: [Header] = [], timestamp: Timestamp? = nil) {
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }

    /// A record of text.
    public init(key: String, value: String, headers: [Header] = [], timestamp: Timestamp? = nil) {
        self.init(key: Array(key.utf8), value: Array(value.utf8), headers: headers, timestamp: timestamp)
    }

    /// The bytes of key, value and headers together.
    var payloadBytes: Int {
        headers.reduce((key?.count ?? 0) + value.count) { $0 + $1.name.utf8.count + $1.value.count }
    }

    /// The time in milliseconds since the epoch, or `now` where the record has none.
    func milliseconds(now: Timestamp) -> Int64 {
        let micro = (timestamp ?? now).microseconds
        // Rounded down on both sides of the epoch.
        return micro >= 0 ? micro / 1000 : -((-(micro + 1)) / 1000) - 1
    }

    static func timestamp(milliseconds: Int64) -> Timestamp {
        let (micro, wide) = milliseconds.multipliedReportingOverflow(by: 1000)
        return Timestamp(microseconds: wide ? (milliseconds < 0 ? .min : .max) : micro)
    }
}

/// Where a record lies: the partition of a topic, and its number in there. Numbers grow; there may be gaps.
public struct StreamPosition: Hashable, Sendable, Codable {
    public let topic: TopicName
    public let partition: Int
    public let offset: Int64

    public init(topic: TopicName, partition: Int, offset: Int64) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }
}

/// A record as it is read back.
public struct StreamedRecord: Hashable, Sendable {
    public let record: StreamRecord
    public let position: StreamPosition

    public init(record: StreamRecord, position: StreamPosition) {
        self.record = record
        self.position = position
    }
}

/// One partition of a topic.
public struct TopicPartition: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    public let topic: TopicName
    public let partition: Int

    public init(topic: TopicName, partition: Int) {
        self.topic = topic
        self.partition = partition
    }

    public var description: String { "\(topic)/\(partition)" }

    public static func < (left: TopicPartition, right: TopicPartition) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }
}

/// Records on their way to a topic, in a transaction.
public struct StreamOutput: Hashable, Sendable {
    public let topic: TopicName
    public let record: StreamRecord
    /// Where it goes; nil for the partition of its key.
    public let partition: Int?

    public init(topic: TopicName, record: StreamRecord, partition: Int? = nil) {
        self.topic = topic
        self.record = record
        self.partition = partition
    }
}
