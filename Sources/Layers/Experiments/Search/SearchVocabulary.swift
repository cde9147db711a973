/// What one kind of thing can be searched by: the prefixes of a filter's keys and the attributes without a prefix.
public struct SearchVocabulary: Sendable {
    /// What a key belongs to.
    public enum Entity: String, Sendable {
        case metric, parameter, tag, attribute, dataset
    }

    /// What an attribute holds, and with it how it can be compared.
    public enum AttributeKind: Sendable {
        /// Text that takes `=`, `!=`, LIKE and ILIKE.
        case text
        /// Text that takes IN and NOT IN too.
        case listedText
        /// Text that takes `=`, `!=`, IN and NOT IN only.
        case identifier
        case number
        /// A number that may stand in quotes.
        case quotableNumber
    }

    let prefixes: [String: Entity]
    let attributes: [String: AttributeKind]
    let aliases: [String: String]

    /// - Parameters:
    ///   - entities: the kinds of keys besides attributes.
    ///   - attributes: by name.
    ///   - aliases: other names of attributes.
    ///   - own: further prefixes of keys.
    public init(
        entities: [Entity], attributes: [String: AttributeKind], aliases: [String: String] = [:],
        prefixes own: [String: Entity] = [:]
    ) {
        let names: [Entity: [String]] = [
            .metric: ["metric", "metrics"], .parameter: ["parameter", "parameters", "param", "params"],
            .tag: ["tag", "tags"], .attribute: ["attribute", "attributes", "attr", "run"],
            .dataset: ["dataset", "datasets"],
        ]
        var prefixes: [String: Entity] = [:]
        for entity in entities + [.attribute] {
            for name in names[entity] ?? [] { prefixes[name] = entity }
        }
        self.prefixes = prefixes.merging(own) { _, added in added }
        self.attributes = attributes
        self.aliases = aliases
    }

    /// Of runs.
    public static let runs = SearchVocabulary(
        entities: [.metric, .parameter, .tag, .dataset],
        attributes: [
            "run_id": .listedText, "run_name": .text, "status": .text, "artifact_uri": .text, "user_id": .text,
            "start_time": .number, "end_time": .number,
        ],
        aliases: [
            "created": "start_time", "Created": "start_time", "run name": "run_name", "Run name": "run_name",
            "Run Name": "run_name",
        ])

    /// Of experiments.
    public static let experiments = SearchVocabulary(
        entities: [.tag],
        attributes: [
            "name": .text, "experiment_id": .identifier, "creation_time": .number, "last_update_time": .number,
        ])

    /// Of logged models.
    public static let loggedModels = SearchVocabulary(
        entities: [.metric, .parameter, .tag],
        attributes: [
            "name": .listedText, "model_id": .listedText, "model_type": .listedText, "status": .listedText,
            "source_run_id": .listedText, "creation_timestamp": .number, "last_updated_timestamp": .number,
        ],
        aliases: ["creation_time": "creation_timestamp", "last_updated_time": "last_updated_timestamp"])

    /// What a key with or without a prefix belongs to.
    /// - Throws: ``ExperimentsFailure/search(_:)``.
    func key(_ path: SearchPath) throws -> (entity: Entity, key: String) {
        guard let prefix = path.prefix else { return (.attribute, try attribute(path.name)) }
        guard let entity = prefixes[prefix] else {
            let known = prefixes.keys.sorted().joined(separator: "', '")
            throw ExperimentsFailure.search("Invalid entity type '\(prefix)'. Valid values are '\(known)'")
        }
        switch entity {
        case .attribute: return (entity, try attribute(path.name))
        case .dataset:
            guard ["name", "digest", "context"].contains(path.name) else {
                throw ExperimentsFailure.search(
                    "Invalid dataset key '\(path.name)' specified. Valid keys are 'name', 'digest', 'context'")
            }
            return (entity, path.name)
        default: return (entity, path.name)
        }
    }

    private func attribute(_ name: String) throws -> String {
        let known = aliases[name] ?? name
        guard attributes[known] != nil else {
            let names = attributes.keys.sorted().joined(separator: "', '")
            throw ExperimentsFailure.search("Invalid attribute key '\(name)' specified. Valid keys are '\(names)'")
        }
        return known
    }
}

/// A key as it was written: `metrics.loss` has the prefix `metrics` and the name `loss`.
struct SearchPath: Sendable, Equatable {
    var prefix: String?
    var name: String
}
