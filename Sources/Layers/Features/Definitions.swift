import Basics
import Datasets

/// What a feature describes.
public struct Entity: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var joinKeys: [String]
}

/// Feature values by entity and time, computed by SQL from event sources.
public struct FeatureView: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var entities: [String]
    public var joinKeys: [String]
    public var sources: [String]
    public var sql: String
    public var eventTime: String
    /// How long a value may be used after its event time, in seconds; the window is closed at both ends.
    public var ttlSeconds: Int64
    /// The distance of the grid the view is published on, in seconds.
    public var everySeconds: Int64
    public var freshness: String
    /// In the order of the definition.
    public var features: [String]

    /// The digest of everything that decides its values but the data.
    func digest(sources: [Digest]) throws -> Digest {
        struct Content: Codable {
            var view: FeatureView
            var sources: [Digest]
        }
        return Digest(of: try JSON.canonical(Content(view: self, sources: sources)))
    }
}

/// The ordered list of features that a model version pins.
public struct FeatureService: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    /// Values the caller sends with the request.
    public var request: [String]
    /// Views with the features taken from each, in order.
    public var views: [Selection]

    public struct Selection: Sendable, Codable, Equatable {
        public var view: String
        public var features: [String]
    }

    /// Names of the model's inputs in order: request features first, then `view__feature`.
    public var inputNames: [String] {
        request + views.flatMap { selection in selection.features.map { "\(selection.view)__\($0)" } }
    }
}
