import Basics

/// What a bundle is: the manifest holds the digests of all files, so its own digest names the whole bundle.
public struct BundleManifest: Codable, Sendable, Equatable {
    /// The form written today; readers refuse any other.
    public static let currentFormat = 1

    /// The feature service whose features the model takes, pinned by the digest of its definition.
    public struct FeatureService: Codable, Sendable, Equatable {
        public let name: String
        public let digest: String

        public init(name: String, digest: String) {
            self.name = name
            self.digest = digest
        }
    }

    /// Rows the model was asked when the bundle was made, and its answers. Nil stands for a missing value.
    public struct Sample: Codable, Sendable, Equatable {
        public let inputs: [[Double?]]
        public let outputs: [[Double]]

        public init(inputs: [[Double?]], outputs: [[Double]]) {
            self.inputs = inputs
            self.outputs = outputs
        }

        /// Asks `model` the rows and keeps its answers; NaN counts as missing.
        public init(asking model: any Model, rows: [[Double]]) throws {
            inputs = rows.map { $0.map { $0.isNaN ? nil : $0 } }
            outputs = try rows.map { try model.predict(row: $0) }
        }
    }

    public let formatVersion: Int
    /// Which runtime loads it, such as `lightgbm`.
    public let kind: String
    public let signature: ModelSignature
    public let featureService: FeatureService?
    /// Figures of the model at training, by name; finite.
    public let metrics: [String: Double]
    /// What it was made with: versions of libraries, seed, machine, ...
    public let environment: [String: String]
    public let sample: Sample
    /// The digest of every file, by its path inside the bundle.
    public let files: [String: Digest]

    public init(
        kind: String, signature: ModelSignature, featureService: FeatureService? = nil, metrics: [String: Double] = [:],
        environment: [String: String] = [:], sample: Sample, files: [String: Digest]
    ) {
        formatVersion = BundleManifest.currentFormat
        self.kind = kind
        self.signature = signature
        self.featureService = featureService
        self.metrics = metrics
        self.environment = environment
        self.sample = sample
        self.files = files
    }

    /// The one text of this manifest: keys sorted, no blanks.
    ///
    /// - Throws: `InferenceError` where the manifest contradicts itself.
    public func encoded() throws -> [UInt8] {
        try check()
        return try JSON.canonical(self)
    }

    /// The name of the bundle: the SHA-256 of `encoded()`.
    public func digest() throws -> Digest { Digest(of: try encoded()) }

    /// Reads a manifest.
    ///
    /// - Throws: `InferenceError` or `JSONFailure` where it is of another format, not canonical, or contradicts itself.
    public init(decoding bytes: [UInt8]) throws {
        struct Version: Decodable { let formatVersion: Int }
        let version = try JSON.decode(Version.self, from: bytes).formatVersion
        guard version == BundleManifest.currentFormat else {
            throw InferenceError(
                .failedPrecondition,
                "the bundle manifest has format \(version) where this release reads \(BundleManifest.currentFormat)",
                remedy: "Load it with the release that wrote it")
        }
        self = try JSON.decode(BundleManifest.self, from: bytes)
        guard try encoded() == bytes else {
            throw InferenceError.manifest("it is not in canonical form, so its digest would not name its content")
        }
    }

    private func check() throws {
        func demand(_ holds: Bool, _ message: @autoclosure () -> String) throws {
            guard holds else { throw InferenceError.manifest(message()) }
        }
        try demand(!kind.isEmpty, "it names no kind of model")
        try demand(!signature.inputs.isEmpty && !signature.outputs.isEmpty, "its signature has no inputs or no outputs")
        for (side, tensors) in [("inputs", signature.inputs), ("outputs", signature.outputs)] {
            try demand(tensors.allSatisfy { !$0.name.isEmpty }, "one of its \(side) has no name")
            try demand(Set(tensors.map(\.name)).count == tensors.count, "two of its \(side) have the same name")
        }
        try demand(!files.isEmpty, "it lists no files")
        for path in files.keys {
            try demand(BundleManifest.isInside(path), "the path '\(path)' leads out of the bundle")
        }
        for (name, value) in metrics { try demand(value.isFinite, "the metric '\(name)' is not finite") }
        try demand(!sample.inputs.isEmpty, "its sample has no rows")
        try demand(sample.inputs.count == sample.outputs.count, "its sample has other inputs than outputs")
        for (inputs, outputs) in zip(sample.inputs, sample.outputs) {
            try demand(
                inputs.count == signature.inputs.count && outputs.count == signature.outputs.count,
                "a row of its sample does not fit the signature")
            try demand(
                inputs.allSatisfy { $0?.isFinite ?? true } && outputs.allSatisfy(\.isFinite), "its sample is not finite"
            )
        }
    }

    static func isInside(_ path: String) -> Bool {
        !path.isEmpty && !path.contains("\\") && !path.utf8.contains(0)
            && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0 != "." && $0 != ".."
            }
    }
}
