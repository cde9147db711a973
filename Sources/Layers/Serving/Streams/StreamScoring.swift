import Basics
import Features
import Streams

/// What a scorer of a stream does: which events it reads, which model it asks, and where the answers go.
public struct StreamScoring: Sendable, Codable, Equatable {
    /// Also the name of the consumer group: processes of one name share the partitions, and none scores an event twice.
    public var name: String
    public var owner: String
    /// A model file or folder, or `models:/NAME/VERSION` of a registry.
    public var model: String
    /// Events, one JSON object each.
    public var from: TopicName
    /// Answers, one JSON object for each event.
    public var to: TopicName
    /// Events that could not be scored, as they came, with the reason.
    public var deadLetters: TopicName
    /// Where a group begins that has scored nothing yet.
    public var start: StreamStart
    /// Events of one batch at most. A batch is what is there; it never waits to become full.
    public var rows: Int
    /// The member of an event that names it.
    public var idField: String
    /// Partitions of topics that are not there yet.
    public var partitions: Int
    /// What is computed from earlier events of a key and given to the model beside the event's own members.
    public var windows: Windows?

    /// The most events of a batch that may be asked for.
    public static let rowsMax = 65_536

    /// Windows of time over the events of a key.
    public struct Windows: Sendable, Codable, Equatable {
        /// The member whose value tells events apart; nil for the record's key.
        public var key: String?
        /// The member with the moment at which an event happened, as RFC 3339 text or milliseconds since 1970; nil for the
        /// record's time.
        public var time: String?
        /// The width of the tiles that windows are made of.
        public var tileSeconds: Int64
        public var features: [WindowFeature]

        public init(key: String? = nil, time: String? = nil, tileSeconds: Int64, features: [WindowFeature]) {
            self.key = key
            self.time = time
            self.tileSeconds = tileSeconds
            self.features = features
        }
    }

    /// - Parameter deadLetters: nil for the topic `FROM.rejected`.
    /// - Throws: `StreamFailure.invalidTopic`.
    public init(
        name: String, owner: String = "", model: String, from: TopicName, to: TopicName, deadLetters: TopicName? = nil,
        start: StreamStart = .oldest, rows: Int = 1024, idField: String = "id", partitions: Int = 4,
        windows: Windows? = nil
    ) throws {
        self.name = name
        self.owner = owner
        self.model = model
        self.from = from
        self.to = to
        self.deadLetters = try deadLetters ?? TopicName("\(from).rejected")
        self.start = start
        self.rows = min(max(1, rows), Self.rowsMax)
        self.idField = idField
        self.partitions = max(1, partitions)
        self.windows = windows
    }
}
