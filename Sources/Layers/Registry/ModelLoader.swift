import Basics
import Inference
import ObjectStorage
import Statistics

/// Brings bundles from the object store into memory, each once.
///
/// Guarantees: every file is checked against its digest, and a bundle that does not reproduce its sample is refused.
public actor ModelLoader {
    private let objects: any ObjectStore
    private let runtimes: ModelRuntimes
    private let slots: Int
    private let worker = BlockingThread(name: "models")
    /// The bundles loaded last, newest at the end.
    private var recent: [LoadedModel] = []
    private static let recentMax = 4

    /// - Parameter slots: how many threads will ask a model for single rows at once.
    public init(objects: any ObjectStore, runtimes: ModelRuntimes, slots: Int) {
        self.objects = objects
        self.runtimes = runtimes
        self.slots = slots
    }

    /// - Throws: what the object store or the bundle's own checks throw.
    public func load(_ bundle: Digest) async throws -> LoadedModel {
        if let loaded = recent.first(where: { $0.digest == bundle }) { return loaded }
        let manifestBytes = try await objects.get(bundle)
        var files: [Digest: [UInt8]] = [:]
        for file in try BundleManifest(decoding: manifestBytes).files.values {
            files[file] = try await objects.get(file)
        }
        let (content, runtimes, slots) = (files, runtimes, slots)
        let loaded = try await worker.run {
            try ModelBundle.load(manifest: manifestBytes, expected: bundle, slots: slots, runtimes: runtimes) {
                content[$0] ?? []
            }
        }
        recent.append(loaded)
        if recent.count > Self.recentMax { recent.removeFirst() }
        return loaded
    }

    /// What the model of a bundle saw in training.
    ///
    /// - Throws: ``RegistryFailure/noProfile(_:)`` where the bundle holds none.
    public func profile(of bundle: Digest) async throws -> ModelProfile {
        guard let bytes = try await load(bundle).files[ModelProfile.file] else {
            throw RegistryFailure.noProfile(bundle)
        }
        return try JSON.decode(ModelProfile.self, from: bytes)
    }
}
