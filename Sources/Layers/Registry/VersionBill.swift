import Basics
import Experiments
import Inference
import ObjectStorage

/// Everything a version is made of, as one document.
public struct VersionBill: Sendable, Codable, Equatable {
    public var version: ModelVersionID
    /// Of all that can not change: what approvals and exports are bound to.
    public var digest: Digest
    public var bundle: Digest
    /// The files of the bundle by path; empty where they are kept elsewhere, such as in S3.
    public var files: [String: Digest]
    public var run: String?
    public var source: String?
    /// Nil where nothing is known but the bundle.
    public var materials: BillOfMaterials?
    public var metrics: [String: Double]
    /// The metrics that are of a part of the data: `auc/carrier:UA` is the `auc` of the segment `carrier:UA`.
    public var segments: [String: [String: Double]]
    /// What must be known before it goes to Production, and is not.
    public var missing: [RequiredFact]
}

/// Where a version comes from: its data, its code, its hyperparameters and its metrics.
public struct VersionLineage: Sendable, Codable, Equatable {
    public var version: ModelVersionID
    public var stage: Stage
    public var run: String?
    public var data: [Source]
    /// A commit, or version and build of the program that trained it; empty where it is not known.
    public var code: String
    /// The changes to that commit that were not committed.
    public var diff: Digest?
    public var parameters: [String: String]
    public var metrics: [String: Double]
    /// Of the feature service; nil where it reads none.
    public var features: Digest?
    public var environment: [String: String]
    public var bundle: Digest
    public var origin: BillOfMaterials.Origin?
    /// Which of data, code, hyperparameters and metrics are not known.
    public var missing: [RequiredFact]

    /// A dataset version.
    public struct Source: Sendable, Codable, Equatable {
        public var name: String
        public var digest: String
        /// Where a client says that it lies; empty for the factory's own tables.
        public var source: String
    }
}

/// A difference between two versions.
public struct VersionDifference: Sendable, Codable, Equatable {
    /// Such as `materials.parameters.learning_rate`.
    public var path: String
    /// Nil where the first version has nothing there.
    public var first: JSONValue?
    public var second: JSONValue?
}

/// The papers of versions: bills of materials, lineage, differences.
public struct VersionPapers: Sendable {
    let registry: ModelRegistry
    let objects: any ObjectStore

    public init(registry: ModelRegistry, objects: any ObjectStore) {
        self.registry = registry
        self.objects = objects
    }

    /// - Throws: ``RegistryFailure/unknownVersion(_:)``, or the object store's failure where the bundle is gone or damaged.
    public func bill(of id: ModelVersionID) async throws -> VersionBill {
        let version = try await registry.version(id)
        var segments: [String: [String: Double]] = [:]
        for (key, value) in version.metrics {
            let parts = key.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2, let name = parts.first, let segment = parts.last, segment.contains(":") else {
                continue
            }
            segments[segment, default: [:]][name] = value
        }
        return VersionBill(
            version: id, digest: try version.digest(), bundle: version.bundle,
            files: try Self.files(of: try await objects.get(version.bundle)), run: version.run,
            source: version.source, materials: version.materials, metrics: version.metrics, segments: segments,
            missing: registry.policy.missing(in: version))
    }

    /// - Throws: ``RegistryFailure/unknownVersion(_:)``.
    public func lineage(of id: ModelVersionID) async throws -> VersionLineage {
        let version = try await registry.version(id)
        let materials = version.materials
        let tables = (materials?.datasets ?? [:]).sorted { $0.key < $1.key }.map {
            VersionLineage.Source(name: $0.key, digest: $0.value.description, source: "")
        }
        let inputs = (materials?.inputs ?? []).map {
            VersionLineage.Source(name: $0.name, digest: $0.digest, source: $0.source)
        }
        return VersionLineage(
            version: id, stage: version.stage, run: version.run, data: tables + inputs, code: materials?.code ?? "",
            diff: materials?.diff, parameters: materials?.parameters ?? [:], metrics: version.metrics,
            features: materials?.features, environment: materials?.environment ?? [:], bundle: version.bundle,
            origin: materials?.origin,
            missing: [.data, .code, .parameters, .metrics].filter { !$0.isKnown(of: version) })
    }

    /// What differs between the bills of two versions, by path.
    /// - Throws: what ``bill(of:)`` throws.
    public func difference(
        between first: ModelVersionID, and second: ModelVersionID
    ) async throws -> [VersionDifference] {
        let left = try Self.leaves(of: JSON.value(try await bill(of: first)))
        let right = try Self.leaves(of: JSON.value(try await bill(of: second)))
        return Set(left.keys).union(right.keys).sorted().compactMap { path in
            guard left[path] != right[path], path != "digest", !path.hasPrefix("version.") else { return nil }
            return VersionDifference(path: path, first: left[path], second: right[path])
        }
    }

    /// The files that a stored manifest names, in either of its two forms: of a bundle, or of artifacts.
    static func files(of manifest: [UInt8]) throws -> [String: Digest] {
        if let bundle = try? BundleManifest(decoding: manifest) { return bundle.files }
        return try JSON.decode(ArtifactManifest.self, from: manifest).files.mapValues(\.digest)
    }

    private static func leaves(of value: JSONValue, at path: String = "") -> [String: JSONValue] {
        func below(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
        switch value {
        case .object(let members):
            return members.reduce(into: [:]) { leaves, member in
                leaves.merge(Self.leaves(of: member.value, at: below(member.key))) { $1 }
            }
        case .array(let items):
            return items.enumerated().reduce(into: [:]) { leaves, item in
                leaves.merge(Self.leaves(of: item.element, at: below("\(item.offset)"))) { $1 }
            }
        case .null: return [:]
        default: return [path: value]
        }
    }
}
