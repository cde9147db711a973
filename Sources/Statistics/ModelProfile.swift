/// What a model saw in training and how well it did, kept in its bundle: the reference that monitoring compares against.
public struct ModelProfile: Sendable, Codable, Equatable {
    public var reference: ReferenceProfile
    public var metrics: [String: Double]

    public init(reference: ReferenceProfile, metrics: [String: Double]) {
        self.reference = reference
        self.metrics = metrics
    }

    /// The name of the file in the bundle.
    public static let file = "profile.json"
}
