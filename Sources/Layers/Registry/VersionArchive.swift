import Archives
import Basics
import Experiments
import ObjectStorage
import Sealing

/// Versions as signed files that travel between installations.
///
/// A file is a tar with three kinds of members: `statement.json`, `signature.json`, and each object as `objects/HEX`, named
/// by the SHA-256 of its bytes. The statement lists the objects, and the Ed25519 signature is over its very bytes, so that
/// no byte of what is imported can be another than what was exported.
public struct VersionArchive: Sendable {
    /// What an export says of its version.
    public struct Statement: Sendable, Codable, Equatable {
        public static let currentFormat = 1
        public var format: Int
        public var version: ModelVersionID
        public var digest: Digest
        public var bundle: Digest
        public var run: String?
        public var materials: BillOfMaterials?
        public var metrics: [String: Double]
        public var description: String
        public var tags: [String: String]
        public var created: Timestamp
        public var exported: Timestamp
        /// Who exported it.
        public var principal: String
        /// The manifest of the bundle and its files.
        public var objects: [Digest]
    }

    /// The other paper of an archive.
    struct Signature: Codable {
        /// The name of the key.
        var key: String
        /// 64 bytes in Base64.
        var signature: String
    }

    /// The names of members.
    enum Name {
        static let statement = "statement.json"
        static let signature = "signature.json"
        static func object(_ digest: Digest) -> String { "objects/\(digest.hex)" }
    }

    private let registry: ModelRegistry
    private let experiments: ExperimentStore
    private let objects: any ObjectStore
    private let time: any TimeSource
    private let keyFile: String
    private let spoolFolder: String
    private let bytesMax: Int

    /// - Parameters:
    ///   - keyFile: the key that signs, made where there is none; the public keys that stand in it besides are those of
    ///     installations whose exports are trusted.
    ///   - spoolFolder: where an archive waits, unseen, until it was checked; made where there is none.
    ///   - bytesMax: how many bytes an archive that comes, or the files of one that goes, may have.
    public init(
        registry: ModelRegistry, experiments: ExperimentStore, objects: any ObjectStore, time: any TimeSource,
        keyFile: String, spoolFolder: String, bytesMax: Int = 1 << 40
    ) {
        self.registry = registry
        self.experiments = experiments
        self.objects = objects
        self.time = time
        self.keyFile = keyFile
        self.spoolFolder = spoolFolder
        self.bytesMax = bytesMax
    }

    /// A version as a signed tar file that is yet to be written, and journals that it was exported.
    /// - Throws: ``RegistryFailure/unknownVersion(_:)``, ``RegistryFailure/keptElsewhere(_:)``,
    ///   ``RegistryFailure/tooLarge(_:limit:)``, `SealingFailure`, or the object store's failure where a file is gone.
    public func export(_ id: ModelVersionID, by principal: String) async throws -> VersionExport {
        let version = try await registry.version(id)
        let known = try await registry.registered(id)
        let manifest = try await objects.get(version.bundle)
        let files = Set(try VersionPapers.files(of: manifest).values)
        guard !files.isEmpty else { throw RegistryFailure.keptElsewhere(id) }
        let statement = Statement(
            format: Statement.currentFormat, version: id, digest: try version.digest(), bundle: version.bundle,
            run: version.run ?? version.materials?.origin?.run, materials: version.materials, metrics: version.metrics,
            description: version.description, tags: Dictionary(known.tags.map { ($0.key, $0.value) }) { $1 },
            created: version.created, exported: time.now, principal: principal,
            objects: [version.bundle] + files.subtracting([version.bundle]).sorted())
        var room = Int64(bytesMax)
        for object in statement.objects {
            let bytes = try await objects.size(object)
            guard bytes <= room else { throw RegistryFailure.tooLarge(id, limit: bytesMax) }
            room -= bytes
        }
        let (key, papers) = try await BlockingThread(name: "archive").run { [keyFile] in
            let text = try JSON.canonical(statement)
            guard let signer = try SigningKeyring.opened(atFile: keyFile).signer else {
                throw SealingFailure.badKey("'\(keyFile)'", reason: "it holds no private key to sign with")
            }
            let signature = Signature(key: signer.id, signature: Base64.text(signer.sign(text)))
            return (signer.id, [(Name.statement, text), (Name.signature, try JSON.canonical(signature))])
        }
        try await registry.note(
            "model.exported", on: id, ["key": .string(key), "digest": .string(statement.digest.description)],
            by: principal)
        return VersionExport(papers: papers, contents: statement.objects, objects: objects)
    }

    /// Registers the version of a signed file, which comes piece by piece, as the next of a model, which is made where there
    /// is none. The same file gives the same version again. Nothing of it is kept before all of it was checked.
    /// - Parameters:
    ///   - model: nil for the name it had.
    ///   - next: gives the next piece, or nil at the end.
    /// - Throws: ``RegistryFailure/badArchive(_:)``, ``RegistryFailure/untrusted(key:file:)``, `ArchiveFailure`, what `next`
    ///   throws.
    public func register(
        as model: String?, by principal: String, _ next: () async throws -> [UInt8]?
    ) async throws -> ModelVersion {
        let thread = BlockingThread(name: "archive")
        let spool = try await thread.run { [spoolFolder] in try SpoolFile(in: spoolFolder) }
        var room = bytesMax
        let whole = try await spool.take {
            guard let piece = try await next() else { return nil }
            room -= piece.count
            guard room >= 0 else { throw ArchiveFailure.tooLarge(limit: bytesMax) }
            return piece
        }
        let archive = try await thread.run { [keyFile] in
            try CheckedArchive(spool, digest: whole.digest, keyFile: keyFile)
        }
        let statement = archive.statement
        let name = model ?? statement.version.model
        if (try? await registry.model(name)) == nil {
            do {
                _ = try await registry.createModel(named: name, description: "", tags: [], by: principal)
            } catch RegistryFailure.modelExists(_) {
                // Another import made it meanwhile.
            }
        }
        let known = try await registry.versions(ofExisting: name).first {
            $0.materials?.origin?.statement == archive.digest
        }
        if let known { return known }
        let sizes = try await take(statement.objects, from: spool, on: thread)
        var materials = statement.materials ?? BillOfMaterials()
        materials.origin = BillOfMaterials.Origin(
            version: statement.version, run: statement.run, key: archive.key, exported: statement.exported,
            statement: archive.digest)
        let manifest = try await place(archive, sizes, below: "imported/\(archive.digest.hex)")
        let draft = VersionDraft(
            model: name, source: manifest.location, run: nil, runLink: "", loggedModel: nil,
            description: statement.description,
            tags: statement.tags.sorted { $0.key < $1.key }.map { Pair(key: $0.key, value: $0.value) })
        let version = try await registry.register(
            draft,
            ModelRegistry.Finding(
                manifest: manifest, bundle: statement.bundle, materials: materials, metrics: statement.metrics),
            by: principal)
        return try await registry.version(version.id)
    }

    /// Stores the objects of an archive that was checked.
    /// - Returns: how many bytes each has.
    private func take(
        _ wanted: [Digest], from spool: SpoolFile, on thread: BlockingThread
    ) async throws -> [Digest: Int64] {
        // The reader has the file's descriptor only.
        defer { withExtendedLifetime(spool) {} }
        let reader = try await thread.run {
            let reader = try TarReader(descriptor: try spool.rewound())
            for _ in [Name.statement, Name.signature] { _ = try reader.next() }
            return reader
        }
        var sizes: [Digest: Int64] = [:]
        for object in wanted {
            _ = try await thread.run { try reader.next() }
            let (digest, size) = try await objects.intake().take { try await thread.run { try reader.piece() } }
            guard digest == object else { throw RegistryFailure.badArchive("it changed while it was read") }
            sizes[object] = size
        }
        return sizes
    }

    /// Where the files of an import are found: by the bundle's own digest, or, for the artifacts of a client, by their names.
    private func place(
        _ archive: CheckedArchive, _ sizes: [Digest: Int64], below folder: String
    ) async throws -> ArtifactManifest {
        guard let artifacts = try? JSON.decode(ArtifactManifest.self, from: archive.manifest) else {
            return ArtifactManifest(location: "modelworks:/\(archive.statement.bundle)", files: [:])
        }
        for (path, file) in artifacts.files {
            try await experiments.nameArtifact(
                file.digest, bytes: sizes[file.digest] ?? 0, at: try ArtifactPath("\(folder)/\(path)"))
        }
        return ArtifactManifest(location: "\(ArtifactPath.scheme)/\(folder)", files: artifacts.files)
    }
}
