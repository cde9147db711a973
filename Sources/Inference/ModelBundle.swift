import Basics

/// A model that was loaded from a bundle and has answered its sample.
public struct LoadedModel: Sendable {
    /// The bundle's name.
    public let digest: Digest
    public let manifest: BundleManifest
    public let model: any Model
    /// Every file of the bundle by its path, checked: the model, profiles, reports, preprocessing.
    public let files: [String: [UInt8]]
}

/// Bundles as bytes: a manifest and the files it names by digest. Where they are kept is not its concern.
public enum ModelBundle {
    /// How far an answer may be from the sample's, absolutely or relative to it.
    public static let tolerance = 1e-9

    /// A bundle ready to be stored.
    public struct Encoded: Sendable {
        public let manifest: BundleManifest
        public let manifestBytes: [UInt8]
        /// The bundle's name: the digest of `manifestBytes`.
        public let digest: Digest
    }

    /// Makes the manifest of `files` and its bytes. The model is loaded and asked, so that a bundle that can not be
    /// served is never made.
    ///
    /// - Parameter sampleRows: rows to keep with their answers; NaN for missing.
    /// - Throws: `InferenceError` where files, signature and rows do not fit each other.
    public static func encode(
        kind: String, files: [String: [UInt8]], signature: ModelSignature, sampleRows: [[Double]],
        featureService: BundleManifest.FeatureService? = nil, metrics: [String: Double] = [:],
        environment: [String: String] = [:], runtimes: ModelRuntimes
    ) throws -> Encoded {
        let model = try runtimes.runtime(for: kind).load(files: files, slots: 1)
        try fit(model, signature)
        let manifest = BundleManifest(
            kind: kind, signature: signature, featureService: featureService, metrics: metrics,
            environment: environment,
            sample: try BundleManifest.Sample(asking: model, rows: sampleRows),
            files: files.mapValues { Digest(of: $0) })
        let bytes = try manifest.encoded()
        return Encoded(manifest: manifest, manifestBytes: bytes, digest: Digest(of: bytes))
    }

    /// Loads a bundle and proves that it answers as it did when it was made.
    ///
    /// - Parameters:
    ///   - manifestBytes: the manifest as it was stored.
    ///   - expected: the name the bundle was asked for by; nil to take the manifest as it is.
    ///   - slots: how many threads will ask for single rows at once.
    ///   - fetch: gives the bytes of a file by digest; they are checked against it.
    /// - Throws: `InferenceError` where a digest differs, the runtime is missing, or the sample is not reproduced.
    public static func load(
        manifest manifestBytes: [UInt8], expected: Digest? = nil, slots: Int = 1, runtimes: ModelRuntimes,
        fetch: (Digest) throws -> [UInt8]
    ) throws -> LoadedModel {
        let digest = Digest(of: manifestBytes)
        if let expected, expected != digest {
            throw InferenceError.damaged("the manifest of bundle \(expected.short) has the digest \(digest.short)")
        }
        let manifest = try BundleManifest(decoding: manifestBytes)
        let runtime = try runtimes.runtime(for: manifest.kind)
        var files: [String: [UInt8]] = [:]
        for (path, name) in manifest.files.sorted(by: { $0.key < $1.key }) {
            let bytes = try fetch(name)
            let actual = Digest(of: bytes)
            guard actual == name else {
                throw InferenceError.damaged(
                    "the file '\(path)' of bundle \(digest.short) has the digest \(actual.short) where the manifest tells \(name.short)"
                )
            }
            files[path] = bytes
        }
        let model = try runtime.load(files: files, slots: slots)
        try fit(model, manifest.signature)
        try reproduce(manifest.sample, with: model, bundle: digest)
        return LoadedModel(digest: digest, manifest: manifest, model: model, files: files)
    }

    private static func fit(_ model: any Model, _ signature: ModelSignature) throws {
        guard model.inputCount == signature.inputs.count, model.outputCount == signature.outputs.count else {
            throw InferenceError.manifest(
                "its signature has \(signature.inputs.count) inputs and \(signature.outputs.count) outputs where the model has "
                    + "\(model.inputCount) and \(model.outputCount)")
        }
    }

    private static func reproduce(_ sample: BundleManifest.Sample, with model: any Model, bundle: Digest) throws {
        for (index, (row, expected)) in zip(sample.inputs, sample.outputs).enumerated() {
            let actual = try model.predict(row: row.map { $0 ?? .nan })
            for (output, pair) in zip(expected, actual).enumerated() where !agree(pair.0, pair.1) {
                throw InferenceError(
                    .failedPrecondition,
                    "bundle \(bundle.short) does not reproduce its sample: row \(index), output \(output) should be \(pair.0) and is \(pair.1)",
                    remedy: "Do not serve it; train again or load it with the library versions in its environment")
            }
        }
    }

    private static func agree(_ expected: Double, _ actual: Double) -> Bool {
        abs(expected - actual) <= max(tolerance, tolerance * abs(expected))
    }
}
