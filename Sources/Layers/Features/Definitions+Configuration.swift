import Basics
import Configuration

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

extension TableDefinition {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: [
            "kind", "name", "owner", "description", "format", "path", "nulls", "sha256", "columns", "key",
            "expectations",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        format = try map.choice("format", default: .csv)
        path = try map.string("path")
        nulls = try map.strings("nulls", default: [])
        if let text = try map.optionalString("sha256") {
            guard let digest = Digest(text) else {
                throw ConfigurationFailure(try map.required("sha256").place, "'sha256' must be 64 hexadecimal digits")
            }
            sha256 = digest
        }
        columns = try map.required("columns").mapping().entries.map { entry in
            guard let kind = ColumnKind(rawValue: try entry.value.string()) else {
                throw ConfigurationFailure(
                    entry.value.place,
                    "the type of '\(entry.key)' must be one of "
                        + ColumnKind.allCases.map(\.rawValue).joined(separator: ", "))
            }
            return ColumnDefinition(name: entry.key, kind: kind)
        }
        key = try map.strings("key", default: [])
        let known = columns.map(\.name)
        expectations = try map.list("expectations").map { try Expectation($0, columns: known) }
    }
}

extension Expectation {
    init(_ node: YAMLNode, columns: [String]) throws {
        let rules = ["not_null", "between", "in_set", "matches", "unique", "row_count", "sql", "null_fraction"]
        let map = try node.mapping(allowing: ["name", "severity"] + rules)
        name = try map.string("name")
        severity = try map.choice("severity", default: .stop)
        let present = rules.filter { map.node($0) != nil }
        guard present.count == 1, let kind = present.first else {
            throw ConfigurationFailure(node.place, "an expectation has exactly one of \(rules.joined(separator: ", "))")
        }
        let value = try map.required(kind)
        func column(_ name: String, at node: YAMLNode) throws -> String {
            guard columns.contains(name) else {
                let nearest = NearestWord.of(name, among: columns)
                throw ConfigurationFailure(
                    node.place, "there is no column '\(name)'" + (nearest.map { " (did you mean '\($0)'?)" } ?? ""))
            }
            return name
        }
        switch kind {
        case "not_null": rule = .notNull(try map.strings(kind).map { try column($0, at: value) })
        case "unique": rule = .unique(try map.strings(kind).map { try column($0, at: value) })
        case "sql": rule = .sql(try value.string())
        case "row_count":
            let bounds = try value.mapping(allowing: ["min", "max"])
            rule = .rowCount(
                minimum: try bounds.optionalInt("min").map { Int64($0) },
                maximum: try bounds.optionalInt("max").map { Int64($0) })
        case "between":
            let bounds = try value.mapping(allowing: ["column", "min", "max"])
            rule = .between(
                column: try column(bounds.string("column"), at: value), minimum: try bounds.optionalDouble("min"),
                maximum: try bounds.optionalDouble("max"))
        case "in_set":
            let set = try value.mapping(allowing: ["column", "values"])
            rule = .inSet(column: try column(set.string("column"), at: value), values: try set.strings("values"))
        case "matches":
            let match = try value.mapping(allowing: ["column", "pattern"])
            rule = .matches(column: try column(match.string("column"), at: value), pattern: try match.string("pattern"))
        default:
            let bound = try value.mapping(allowing: ["column", "max"])
            rule = .nullFraction(column: try column(bound.string("column"), at: value), maximum: try bound.share("max"))
        }
    }
}

extension EventsDefinition {
    init(_ node: YAMLNode, _ documents: FactoryDocuments) throws {
        let map = try node.mapping(allowing: [
            "kind", "name", "owner", "description", "sql", "event_time", "available_at",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        sql = try documents.text(try map.required("sql"))
        eventTime = try map.string("event_time")
        availableAt = try map.string("available_at")
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
