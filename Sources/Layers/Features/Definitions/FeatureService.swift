import Basics
import Configuration

/// The ordered list of features that a model version pins.
public struct FeatureService: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var tags: [String: String]
    /// Values the caller sends that are inputs of the model as they are.
    public var request: [Feature]
    /// Views and transforms with the features taken from each, in order.
    public var selections: [Selection]

    /// What a service takes from one view or transform.
    public struct Selection: Sendable, Codable, Equatable {
        /// The view's or transform's name.
        public var source: String
        /// What it is called in this service: its own name unless another is given.
        public var name: String
        /// In order; all of them where none is named.
        public var features: [String]
        /// Join keys of the view that go by another name among the caller's.
        public var keys: [String: String]
        public var isTransform: Bool

        /// The caller's name for a join key of the view.
        public func callerKey(_ key: String) -> String { keys[key] ?? key }
    }

    /// Names of the model's inputs in order: request features first, then `name__feature`.
    public var inputNames: [String] {
        request.map(\.name)
            + selections.flatMap { selection in selection.features.map { "\(selection.name)__\($0)" } }
    }
}

extension FeatureService {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: ["kind", "name", "owner", "description", "tags", "request", "views"])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        tags = try map.texts("tags")
        request = try map.node("request").map(Feature.list) ?? []
        selections = []
        for item in try map.list("views") {
            let selection = try Selection(item)
            if let index = selections.firstIndex(where: { $0.name == selection.name }) {
                guard selections[index].source == selection.source, selections[index].keys == selection.keys else {
                    throw ConfigurationFailure(item.place, "two views of this service are called '\(selection.name)'")
                }
                selections[index].features += selection.features
            } else {
                selections.append(selection)
            }
        }
    }
}

extension FeatureService.Selection {
    /// Reads `view`, `view:feature`, or `{view: …, as: …, keys: {…}, features: […]}`.
    init(_ node: YAMLNode) throws {
        isTransform = false
        keys = [:]
        if case .mapping = node.content {
            let map = try node.mapping(allowing: ["view", "as", "keys", "features"])
            source = try map.string("view")
            name = try map.optionalString("as") ?? source
            features = try map.strings("features", default: [])
            keys = try map.texts("keys")
        } else {
            let text = try node.string()
            let reference = FeatureReference(text)
            source = reference?.view ?? text
            name = source
            features = reference.map { [$0.feature] } ?? []
        }
    }
}
