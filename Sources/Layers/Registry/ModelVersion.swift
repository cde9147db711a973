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
public enum Stage: String, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
    case none = "None"
    case staging = "Staging"
    case production = "Production"
    case archived = "Archived"

    /// Nothing returns to None; every other change of stage is allowed.
    public func allows(_ next: Stage) -> Bool { next != .none && next != self }
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

    /// The digest of all that can not change of it: what an approval is for.
    public func digest() throws -> Digest {
        struct Bound: Encodable {
            var id: ModelVersionID
            var bundle: Digest
            var run: String?
            var materials: BillOfMaterials?
            var metrics: [String: Double]
            var source: String?
        }
        return Digest(
            of: try JSON.canonical(
                Bound(id: id, bundle: bundle, run: run, materials: materials, metrics: metrics, source: source)))
    }
}
