import Basics
import Configuration

/// Rows given and values expected, beside the definition that they test.
public struct FeatureTest: Sendable, Codable, Equatable {
    public var name: String
    public var target: Target
    /// Rows by table or event source: column to text, null where it is null.
    public var given: [String: [[String: String?]]]
    /// Join keys and request values of each row asked for; those in ``expect`` where there are none.
    public var entities: [[String: String?]]
    /// The moment they are asked for.
    public var at: Timestamp
    /// Join keys with the values they should have, by feature: one row for each of ``entities``, in their order. A list is
    /// written `[a, b]`.
    public var expect: [[String: String?]]
    /// How far a number may be from the one expected.
    public var tolerance: Double

    public enum Target: Sendable, Codable, Equatable {
        case view(String)
        case transform(String)
        case service(String)
    }
}

extension FeatureTest {
    init(_ node: YAMLNode) throws {
        let targets = ["view", "transform", "service"]
        let map = try node.mapping(
            allowing: ["kind", "name", "description", "given", "entities", "at", "expect", "tolerance"] + targets)
        name = try map.string("name")
        let present = targets.filter { map.node($0) != nil }
        guard present.count == 1, let kind = present.first else {
            throw ConfigurationFailure(node.place, "a test has exactly one of \(targets.joined(separator: ", "))")
        }
        let tested = try map.string(kind)
        target =
            switch kind {
            case "view": .view(tested)
            case "transform": .transform(tested)
            default: .service(tested)
            }
        given = [:]
        if let node = map.node("given") {
            for entry in try node.mapping().entries { given[entry.key] = try entry.value.sequence().map(Self.row) }
        }
        entities = try map.list("entities").map(Self.row)
        at = try map.timestamp("at")
        expect = try map.list("expect").map(Self.row)
        guard !expect.isEmpty else {
            throw ConfigurationFailure(node.place, "a test expects at least one row")
        }
        tolerance = try map.optionalDouble("tolerance") ?? 1e-9
    }

    private static func row(_ node: YAMLNode) throws -> [String: String?] {
        var row: [String: String?] = [:]
        for entry in try node.mapping().entries {
            if case .sequence(let items) = entry.value.content {
                row[entry.key] = "[\(try items.map { try $0.string() }.joined(separator: ", "))]"
            } else {
                row[entry.key] = entry.value.isNull ? .some(nil) : try entry.value.string()
            }
        }
        return row
    }
}
