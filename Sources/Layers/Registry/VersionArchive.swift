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

    private struct Signature: Codable {
        /// The name of the key.
        var key: String
        /// 64 bytes in Base64.
        var signature: String
    }

    private enum Name {
        static let statement = "statement.json"
        static let signature = "signature.json"
        static let objects = "objects/"
    }

    private let registry: ModelRegistry
    private let experiments: ExperimentStore
    private let objects: any ObjectStore
    private let time: any TimeSource
    private let keyFile: String
    private let bytesMax: Int
    private let worker = BlockingThread(name: "archives")

    /// - Parameters:
    ///   - keyFile: the key that signs, made where there is none; the public keys that stand in it besides are those of
    ///     installations whose exports are trusted.
    ///   - bytesMax: how many bytes the files of an archive may have, which is made and read in memory.
    public init(
        registry: ModelRegistry, experiments: ExperimentStore, objects: any ObjectStore, time: any TimeSource,
        keyFile: String, bytesMax: Int = 4 << 30
    ) {
        self.registry = registry
        self.experiments = experiments
        self.objects = objects
        self.time = time
        self.keyFile = keyFile
        self.bytesMax = bytesMax
    }

    /// A version as a signed tar file, and journals that it was exported.
    /// - Throws: ``RegistryFailure/unknownVersion(_:)``, ``RegistryFailure/keptElsewhere(_:)``,
    ///   ``RegistryFailure/tooLarge(_:limit:)``, `SealingFailure`, or the object store's failure where a file is gone or
    ///   damaged.
    public func export(_ id: ModelVersionID, by principal: String) async throws -> [UInt8] {
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
        var members: [TarFile.Member] = []
        for object in statement.objects {
            members.append(TarFile.Member(name: Name.objects + object.hex, bytes: try await objects.get(object)))
        }
        let (content, keyFile) = (members, keyFile)
        let (archive, key) = try await worker.run {
            let text = try JSON.canonical(statement)
            guard let signer = try SigningKeyring.opened(atFile: keyFile).signer else {
                throw SealingFailure.badKey("'\(keyFile)'", reason: "it holds no private key to sign with")
            }
            let signature = Signature(key: signer.id, signature: Base64.text(signer.sign(text)))
            let papers = [
                TarFile.Member(name: Name.statement, bytes: text),
                TarFile.Member(name: Name.signature, bytes: try JSON.canonical(signature)),
            ]
            return (try TarFile.write(papers + content), signer.id)
        }
        try await registry.note(
            "model.exported", on: id, ["key": .string(key), "digest": .string(statement.digest.description)],
            by: principal)
        return archive
    }

    /// Registers the version of a signed file as the next of a model, which is made where there is none. The same file gives
    /// the same version again.
    /// - Parameter model: nil for the name it had.
    /// - Throws: ``RegistryFailure/badArchive(_:)``, ``RegistryFailure/untrusted(key:file:)``, `ArchiveFailure`.
    public func register(_ archive: [UInt8], as model: String?, by principal: String) async throws -> ModelVersion {
        let (keyFile, bytesMax) = (keyFile, bytesMax)
        let (statement, statementDigest, key, content) = try await worker.run {
            try Self.check(archive, keyFile: keyFile, bytesMax: bytesMax)
        }
        let name = model ?? statement.version.model
        if (try? await registry.model(name)) == nil {
            do {
                _ = try await registry.createModel(named: name, description: "", tags: [], by: principal)
            } catch RegistryFailure.modelExists(_) {
                // Another import made it meanwhile.
            }
        }
        let known = try await registry.versions(ofExisting: name).first {
            $0.materials?.origin?.statement == statementDigest
        }
        if let known { return known }
        for bytes in content.values { _ = try await objects.put(bytes) }
        var materials = statement.materials ?? BillOfMaterials()
        materials.origin = BillOfMaterials.Origin(
            version: statement.version, run: statement.run, key: key, exported: statement.exported,
            statement: statementDigest)
        let manifest = try await place(statement, content, below: "imported/\(statementDigest.hex)")
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

    /// Where the files of an import are found: by the bundle's own digest, or, for the artifacts of a client, by their names.
    private func place(
        _ statement: Statement, _ content: [Digest: [UInt8]], below folder: String
    ) async throws -> ArtifactManifest {
        let bytes = content[statement.bundle] ?? []
        guard let artifacts = try? JSON.decode(ArtifactManifest.self, from: bytes) else {
            return ArtifactManifest(location: "modelworks:/\(statement.bundle)", files: [:])
        }
        for (path, file) in artifacts.files {
            try await experiments.putArtifact(content[file.digest] ?? [], at: try ArtifactPath("\(folder)/\(path)"))
        }
        return ArtifactManifest(location: "\(ArtifactPath.scheme)/\(folder)", files: artifacts.files)
    }

    /// Reads an archive, and refuses it where anything is not as it was signed.
    private static func check(
        _ archive: [UInt8], keyFile: String, bytesMax: Int
    ) throws -> (statement: Statement, digest: Digest, key: String, content: [Digest: [UInt8]]) {
        let members = try TarFile.read(archive, limit: bytesMax)
        func bad(_ reason: String) -> RegistryFailure { .badArchive(reason) }
        // What lies between members is of no use to anybody but one who hides something there.
        guard try TarFile.write(members) == archive else { throw bad("bytes between its files were changed") }
        guard members.count >= 3, let first = members.first, first.name == Name.statement,
            let second = members.dropFirst().first, second.name == Name.signature
        else { throw bad("it does not begin with \(Name.statement) and \(Name.signature)") }
        guard let signature = try? JSON.decode(Signature.self, from: second.bytes),
            let signed = Base64.bytes(signature.signature)
        else { throw bad("its signature can not be read") }
        let keyring = try SigningKeyring.opened(atFile: keyFile)
        guard let key = keyring[signature.key] else {
            throw RegistryFailure.untrusted(key: signature.key, file: keyFile)
        }
        guard key.isValid(signed, for: first.bytes) else { throw bad("its signature is not of its statement") }
        guard let statement = try? JSON.decode(Statement.self, from: first.bytes),
            statement.format == Statement.currentFormat
        else { throw bad("its statement is of another format") }
        var content: [Digest: [UInt8]] = [:]
        for member in members.dropFirst(2) {
            guard member.name.hasPrefix(Name.objects), let digest = Digest(member.name.dropFirst(Name.objects.count)),
                statement.objects.contains(digest), content[digest] == nil
            else { throw bad("'\(member.name)' is not in its statement") }
            guard Digest(of: member.bytes) == digest else { throw bad("'\(member.name)' was changed") }
            content[digest] = member.bytes
        }
        guard let manifest = content[statement.bundle] else { throw bad("its bundle is missing") }
        let files = Set(try VersionPapers.files(of: manifest).values)
        guard files.isSubset(of: content.keys), content.count == statement.objects.count else {
            throw bad("an object of its statement is missing")
        }
        return (statement, Digest(of: first.bytes), key.id, content)
    }
}
