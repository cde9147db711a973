import Basics
import Configuration

/// A stream of facts with the moment each became knowable: what views are computed from.
public struct EventsDefinition: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var origin: Origin
    public var eventTime: String
    /// The column with the moment a fact became known. Of a stream that names none it is ``StreamDefinition/arrivedAt``.
    public var availableAt: String

    /// Where events come from.
    public enum Origin: Sendable, Codable, Equatable {
        /// A query over tables and other event sources.
        case sql(String)
        /// One by one, from a topic or pushed.
        case stream(StreamDefinition)
    }

    /// The query's text; empty for a stream.
    public var sql: String { if case .sql(let text) = origin { text } else { "" } }

    public var stream: StreamDefinition? { if case .stream(let stream) = origin { stream } else { nil } }
}

/// Events that arrive one by one.
public struct StreamDefinition: Sendable, Codable, Equatable {
    /// The column that holds the moment an event arrived.
    public static let arrivedAt = "arrived_at"

    /// The topic they are read from; nil where they are only pushed.
    public var topic: String?
    public var columns: [TableDefinition.ColumnDefinition]
    /// An event that arrives later than this after it happened is dropped and counted, in seconds; nil takes all.
    public var latenessSeconds: Int64?
}

extension EventsDefinition {
    public init(_ node: YAMLNode, _ documents: FactoryDocuments) throws {
        let map = try node.mapping(allowing: [
            "kind", "name", "owner", "description", "sql", "stream", "event_time", "available_at",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        eventTime = try map.string("event_time")
        guard let stream = map.node("stream") else {
            origin = .sql(try documents.text(try map.required("sql")))
            availableAt = try map.string("available_at")
            return
        }
        guard map.node("sql") == nil else {
            throw ConfigurationFailure(stream.place, "an event source has either 'sql' or 'stream'")
        }
        let definition = try StreamDefinition(stream)
        origin = .stream(definition)
        availableAt = try map.optionalString("available_at") ?? StreamDefinition.arrivedAt
        func type(_ column: String) -> ScalarType? { definition.columns.first { $0.name == column }?.type }
        guard type(eventTime) == .timestamp else {
            throw ConfigurationFailure(
                try map.required("event_time").place, "'event_time' names no timestamp among the stream's columns")
        }
        guard availableAt == StreamDefinition.arrivedAt || type(availableAt) == .timestamp else {
            throw ConfigurationFailure(
                try map.required("available_at").place, "'available_at' names no timestamp among the stream's columns")
        }
    }
}

extension StreamDefinition {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: ["topic", "columns", "lateness"])
        topic = try map.optionalString("topic")
        columns = try TableDefinition.columns(try map.required("columns"))
        latenessSeconds = try map.optionalSeconds("lateness")
        guard !columns.contains(where: { $0.name == Self.arrivedAt }) else {
            throw ConfigurationFailure(
                try map.required("columns").place, "the column '\(Self.arrivedAt)' is added to every stream")
        }
    }
}
