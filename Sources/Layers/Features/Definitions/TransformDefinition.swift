import Basics
import Configuration
import Expressions

/// Features computed when they are asked for, from the request and from values of views.
public struct TransformDefinition: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var tags: [String: String]
    /// What the caller sends.
    public var request: [Feature]
    /// Values of views, each known to the expressions as `view__feature`.
    public var inputs: [FeatureReference]
    public var features: [Output]

    /// One computed feature. Later ones may use earlier ones by name.
    public struct Output: Sendable, Codable, Equatable {
        public var name: String
        public var expression: String
    }
}

/// A feature of a view, written `view:feature`.
public struct FeatureReference: Sendable, Codable, Hashable, CustomStringConvertible {
    public var view: String
    public var feature: String

    public init(view: String, feature: String) {
        self.view = view
        self.feature = feature
    }

    /// - Returns: nil for a text that is not `view:feature`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        self.init(view: parts[0], feature: parts[1])
    }

    public var description: String { "\(view):\(feature)" }
    /// The name with its view, as columns and expressions carry it.
    public var fullName: String { "\(view)__\(feature)" }
}

extension TransformDefinition {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: [
            "kind", "name", "owner", "description", "tags", "request", "views", "features",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        tags = try map.texts("tags")
        request = try map.node("request").map(Feature.list) ?? []
        inputs = try map.strings("views", default: []).map { text in
            guard let reference = FeatureReference(text) else {
                throw ConfigurationFailure(
                    try map.required("views").place, "'\(text)' is not of the form view:feature")
            }
            return reference
        }
        features = try map.required("features").mapping().entries.map {
            Output(name: $0.key, expression: try $0.value.string())
        }
        guard !features.isEmpty else {
            throw ConfigurationFailure(try map.required("features").place, "a transform has at least one feature")
        }
    }
}
