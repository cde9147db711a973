/// What a model saw in training, kept in its bundle: the reference that monitoring compares against.
public struct ModelProfile: Sendable, Codable, Equatable {
    public var inputs: [FeatureProfile]
    public var scores: ReferenceProfile
    public var metrics: [String: Double]

    public init(inputs: [FeatureProfile], scores: ReferenceProfile, metrics: [String: Double]) {
        self.inputs = inputs
        self.scores = scores
        self.metrics = metrics
    }

    /// The name of the file in the bundle.
    public static let file = "profile.json"
}

/// The reference of one input.
public struct FeatureProfile: Sendable, Codable, Equatable {
    public var name: String
    public var reference: ReferenceProfile

    public init(name: String, reference: ReferenceProfile) {
        self.name = name
        self.reference = reference
    }
}
