import Basics
import Configuration
import Datasets

/// Feature values by entity and time, computed from event sources.
public struct FeatureView: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var tags: [String: String]
    public var entities: [String]
    /// Of its entities, in order; known once the catalogue is put together.
    public var joinKeys: [String]
    /// The event sources it reads. A view that is not SQL has one.
    public var sources: [String]
    public var content: Content
    public var eventTime: String
    /// The column with the moment a row became known, where it may be later than its event time.
    public var createdTime: String?
    public var lateData: LateData
    /// How long a value may be used after its event time, in seconds; the window is closed at both ends. Nil is for ever.
    public var ttlSeconds: Int64?
    /// The distance of the grid the view is published on, in seconds; nil where a row may have any time.
    public var everySeconds: Int64?
    public var freshness: Freshness
    /// What is done about new values that are distributed otherwise than before; nil for ``DriftRule/standard``.
    public var drift: DriftRule?
    /// Whether its values are kept for online reads.
    public var isOnline: Bool
    /// In the order of the definition.
    public var features: [Feature]

    /// How its values come to be.
    public enum Content: Sendable, Codable, Equatable {
        case sql(String)
        /// Aggregations of one event source, which leave their windows by tiles of this many seconds.
        case windows([WindowFeature], tileSeconds: Int64)
        /// The columns of the newest event of an entity.
        case latest
    }

    /// Whether a row that became known after the moment asked for may be used.
    public enum LateData: String, Sendable, Codable, CaseIterable { case hidden, visible }

    public var featureNames: [String] { features.map(\.name) }

    /// The query's text; empty where the view is no SQL.
    public var sql: String { if case .sql(let text) = content { text } else { "" } }

    public var windows: [WindowFeature] { if case .windows(let windows, _) = content { windows } else { [] } }

    /// The digest of everything that decides its values but the data.
    func digest(sources: [Digest]) throws -> Digest {
        struct Content: Codable {
            var view: FeatureView
            var sources: [Digest]
        }
        // What is done about values does not decide them.
        var view = self
        view.drift = nil
        view.freshness.action = nil
        return Digest(of: try JSON.canonical(Content(view: view, sources: sources)))
    }
}

extension FeatureView {
    init(_ node: YAMLNode, _ documents: FactoryDocuments) throws {
        let map = try node.mapping(allowing: [
            "kind", "name", "owner", "description", "tags", "entities", "source", "sources", "sql", "aggregations",
            "tile", "event_time", "created_time", "late_data", "ttl", "every", "freshness", "drift", "online",
            "features",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        tags = try map.texts("tags")
        entities = try map.strings("entities")
        guard !entities.isEmpty else {
            throw ConfigurationFailure(try map.required("entities").place, "a view has at least one entity")
        }
        joinKeys = []
        lateData = try map.choice("late_data", default: .hidden)
        ttlSeconds = try FeatureView.ttl(map)
        everySeconds = try map.optionalSeconds("every")
        if everySeconds == 0 {
            throw ConfigurationFailure(try map.required("every").place, "'every' must be longer than nothing")
        }
        freshness = try Freshness(map.node("freshness"))
        drift = try map.node("drift").map { try DriftRule($0) }
        isOnline = try map.bool("online", default: true)
        createdTime = try map.optionalString("created_time")
        if let sql = map.node("sql") {
            for other in ["source", "aggregations", "tile"] where map.node(other) != nil {
                throw ConfigurationFailure(
                    try map.required(other).place, "a view with 'sql' takes no '\(other)'; it names 'sources'")
            }
            sources = try map.strings("sources")
            content = .sql(try documents.text(sql))
            eventTime = try map.string("event_time")
            features = try Feature.list(try map.required("features"))
        } else {
            for other in ["sources", "event_time", "created_time"] where map.node(other) != nil {
                throw ConfigurationFailure(
                    try map.required(other).place, "a view without 'sql' takes no '\(other)'; it names one 'source'")
            }
            sources = [try map.string("source")]
            eventTime = Self.publishedTime
            if let aggregations = map.node("aggregations") {
                let windows = try WindowFeature.list(aggregations)
                content = .windows(windows, tileSeconds: try FeatureView.tile(map, everySeconds, windows, aggregations))
                features = windows.map { Feature($0.name, $0.type) }
                if let extra = map.node("features") {
                    throw ConfigurationFailure(extra.place, "a view with 'aggregations' takes no 'features'")
                }
            } else {
                content = .latest
                createdTime = Self.availableTime
                features = try Feature.list(try map.required("features"))
            }
        }
        if case .sql = content {
        } else if let taken = featureNames.first(where: { [Self.publishedTime, Self.availableTime].contains($0) }) {
            throw ConfigurationFailure(
                node.place, "a feature of the view '\(name)' is called '\(taken)', as a time of its history is")
        }
        guard Set(featureNames).count == features.count else {
            throw ConfigurationFailure(node.place, "the view '\(name)' has two features of one name")
        }
    }

    /// The event time of a view that is not SQL, in its history.
    static let publishedTime = "event_time"

    /// The created time of a view of the newest events, in its history: when the event could be known.
    static let availableTime = "created_time"

    private static func ttl(_ map: ConfigurationMapping) throws -> Int64? {
        if try map.string("ttl") == "none" { return nil }
        let seconds = try map.seconds("ttl")
        guard seconds > 0 else {
            throw ConfigurationFailure(
                try map.required("ttl").place, "a 'ttl' of nothing would let no value be used",
                remedy: "Write 'none' for values that never expire.")
        }
        return seconds
    }

    private static func tile(
        _ map: ConfigurationMapping, _ every: Int64?, _ windows: [WindowFeature], _ place: YAMLNode
    ) throws -> Int64 {
        let tile = try map.optionalSeconds("tile") ?? every ?? 60
        guard tile > 0 else {
            throw ConfigurationFailure(try map.required("tile").place, "'tile' must be longer than nothing")
        }
        for window in windows where window.windowSeconds == 0 || window.windowSeconds % tile != 0 {
            throw ConfigurationFailure(
                place.place,
                "the window of '\(window.name)', \(window.windowSeconds) s, is no multiple of its tile of \(tile) s",
                remedy: "Change 'over', or name a 'tile' that divides all windows.")
        }
        return tile
    }
}
