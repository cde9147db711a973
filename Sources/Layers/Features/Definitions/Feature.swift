import Basics
import Configuration
import Datasets

/// The type of a feature's values: a scalar, or a list of scalars.
///
/// Written `double`, or `list<double>`.
public struct FeatureType: Sendable, Hashable, Codable, CustomStringConvertible {
    public var scalar: ScalarType
    public var isList: Bool

    public init(_ scalar: ScalarType, isList: Bool = false) {
        self.scalar = scalar
        self.isList = isList
    }

    /// - Returns: nil where the text names no type.
    public init?(_ text: String) {
        if text.hasPrefix("list<"), text.hasSuffix(">") {
            guard let scalar = ScalarType(rawValue: String(text.dropFirst(5).dropLast())) else { return nil }
            self.init(scalar, isList: true)
        } else {
            guard let scalar = ScalarType(rawValue: text) else { return nil }
            self.init(scalar)
        }
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let type = FeatureType(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is not a type"))
        }
        self = type
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public var description: String { isList ? "list<\(scalar.rawValue)>" : scalar.rawValue }

    /// Whether a model can take it as one number.
    public var isNumeric: Bool { !isList && scalar != .string }

    /// The type's name in the offline engine.
    var sqlType: String { isList ? "\(scalar.sqlType)[]" : scalar.sqlType }
}

/// One feature of a view, a transform or a request: its name and type.
public struct Feature: Sendable, Codable, Equatable {
    public var name: String
    public var type: FeatureType
    public var description: String

    public init(_ name: String, _ type: FeatureType, description: String = "") {
        self.name = name
        self.type = type
        self.description = description
    }
}

extension Feature {
    /// Features in the order they are written, each `name: type` or `name: {type: …, description: …}`.
    static func list(_ node: YAMLNode) throws -> [Feature] {
        try node.mapping().entries.map { entry in
            var text = entry.value
            var description = ""
            if case .mapping = entry.value.content {
                let map = try entry.value.mapping(allowing: ["type", "description"])
                text = try map.required("type")
                description = try map.optionalString("description") ?? ""
            }
            guard let type = FeatureType(try text.string()) else {
                let known = ScalarType.allCases.map(\.rawValue)
                throw ConfigurationFailure(
                    text.place,
                    "the type of '\(entry.key)' must be one of \(known.joined(separator: ", ")) or list<…> of one")
            }
            return Feature(entry.key, type, description: description)
        }
    }
}
