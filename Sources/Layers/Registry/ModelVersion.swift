import Basics

/// The name of a model version: a model and a number that is never used again.
public struct ModelVersionID: Hashable, Sendable, Codable, CustomStringConvertible {
    public let model: String
    public let version: Int64

    public init(model: String, version: Int64) {
        self.model = model
        self.version = version
    }

    /// Parses `model/3`.
    public init(_ text: String) throws {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let name = parts.first, !name.isEmpty, let last = parts.last,
            let version = Int64(last), version > 0
        else { throw RegistryFailure.badReference(text) }
        model = String(name)
        self.version = version
    }

    public var description: String { "\(model)/\(version)" }
}

/// The stages of MLflow's registry.
public enum Stage: String, Sendable, Codable, CaseIterable {
    case none = "None"
    case staging = "Staging"
    case production = "Production"
    case archived = "Archived"

    /// Nothing returns to None; every other change of stage is allowed.
    public func allows(_ next: Stage) -> Bool { next != .none && next != self }
}

/// What a version was made from, by digest: enough to make it again.
public struct BillOfMaterials: Sendable, Codable, Equatable {
    /// Dataset versions by table.
    public var datasets: [String: Digest]
    /// The feature service's definitions.
    public var features: Digest
    /// The training specification.
    public var training: Digest
    /// The rows and columns it was trained on.
    public var trainingSet: Digest
    /// Version and build of the program that trained it.
    public var code: String
    public var environment: [String: String]
    public var seed: Int64

    public init(
        datasets: [String: Digest], features: Digest, training: Digest, trainingSet: Digest, code: String,
        environment: [String: String], seed: Int64
    ) {
        self.datasets = datasets
        self.features = features
        self.training = training
        self.trainingSet = trainingSet
        self.code = code
        self.environment = environment
        self.seed = seed
    }
}

/// One version of a model and everything known of it.
public struct ModelVersion: Sendable, Codable, Equatable {
    public var id: ModelVersionID
    public var stage: Stage
    public var bundle: Digest
    public var run: String?
    public var materials: BillOfMaterials?
    public var metrics: [String: Double]
    public var description: String
    public var created: Timestamp
    /// When the stage last changed.
    public var staged: Timestamp
    /// Where it was registered from, as a URI; nil for what was trained here.
    public var source: String?
}
