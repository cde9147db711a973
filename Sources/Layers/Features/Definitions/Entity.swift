import Basics
import Configuration

/// What a feature describes, by one or several join keys.
public struct Entity: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var joinKeys: [String]
    public var tags: [String: String]
}

extension Entity {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: ["kind", "name", "owner", "description", "join_keys", "tags"])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        joinKeys = try map.strings("join_keys")
        tags = try map.texts("tags")
        guard !joinKeys.isEmpty else {
            throw ConfigurationFailure(try map.required("join_keys").place, "an entity has at least one join key")
        }
        guard Set(joinKeys).count == joinKeys.count else {
            throw ConfigurationFailure(try map.required("join_keys").place, "a join key is named twice")
        }
    }
}

extension ConfigurationMapping {
    /// A mapping of names to texts, empty where it is absent.
    func texts(_ key: String) throws -> [String: String] {
        guard let node = node(key) else { return [:] }
        var texts: [String: String] = [:]
        for entry in try node.mapping().entries { texts[entry.key] = try entry.value.string() }
        return texts
    }
}
