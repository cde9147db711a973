import Basics
import Configuration
import Datasets

extension Catalogue {
    /// Reads what stands under `data/` and `features/`.
    ///
    /// - Throws: `ConfigurationFailure` with file and line, or ``FeaturesFailure/definition(_:remedy:)``.
    public init(_ documents: FactoryDocuments) throws {
        var tables: [TableDefinition] = []
        var events: [EventsDefinition] = []
        for node in documents.folders["data"] ?? [] {
            switch try node.declaredKind(of: ["table", "events"]) {
            case "table": tables.append(try TableDefinition(node))
            default: events.append(try EventsDefinition(node, documents))
            }
        }
        var entities: [Entity] = []
        var views: [FeatureView] = []
        var services: [FeatureService] = []
        for node in documents.folders["features"] ?? [] {
            switch try node.declaredKind(of: ["entity", "view", "service"]) {
            case "entity": entities.append(try Entity(node))
            case "view": views.append(try FeatureView(node, documents))
            default: services.append(try FeatureService(node))
            }
        }
        try self.init(tables: tables, events: events, entities: entities, views: views, services: services)
    }
}

extension Entity {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: ["kind", "name", "owner", "description", "join_keys"])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        joinKeys = try map.strings("join_keys")
        guard !joinKeys.isEmpty else {
            throw ConfigurationFailure(try map.required("join_keys").place, "an entity has at least one join key")
        }
    }
}

extension FeatureView {
    init(_ node: YAMLNode, _ documents: FactoryDocuments) throws {
        let map = try node.mapping(allowing: [
            "kind", "name", "owner", "description", "entities", "sources", "sql", "event_time", "ttl", "every",
            "freshness", "features",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        entities = try map.strings("entities")
        guard !entities.isEmpty else {
            throw ConfigurationFailure(try map.required("entities").place, "a view has at least one entity")
        }
        joinKeys = []
        sources = try map.strings("sources")
        sql = try documents.text(try map.required("sql"))
        eventTime = try map.string("event_time")
        ttlSeconds = try map.seconds("ttl")
        everySeconds = try map.seconds("every")
        guard everySeconds > 0 else {
            throw ConfigurationFailure(try map.required("every").place, "'every' must be longer than nothing")
        }
        freshness = try map.optionalString("freshness") ?? "batch"
        features = try numericFeatures(try map.required("features"))
    }
}

extension FeatureService {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: ["kind", "name", "owner", "description", "request", "views"])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        request = try map.node("request").map(numericFeatures) ?? []
        views = []
        for item in try map.strings("views", default: []) {
            let parts = item.split(separator: ":", maxSplits: 1).map(String.init)
            guard let view = parts.first else { continue }
            let feature = parts.count == 2 ? [parts[1]] : []
            if let index = views.firstIndex(where: { $0.view == view }) {
                views[index].features += feature
            } else {
                views.append(Selection(view: view, features: feature))
            }
        }
    }
}

/// Names of features by type, in order. Model inputs are numbers.
private func numericFeatures(_ node: YAMLNode) throws -> [String] {
    try node.mapping().entries.map { entry in
        let type = try entry.value.string()
        guard type == "double" else {
            throw ConfigurationFailure(entry.value.place, "the type of '\(entry.key)' must be double, and is '\(type)'")
        }
        return entry.key
    }
}
