import Basics
import Experiments
import Journal
import SQL

/// A version that is registered from a source.
public struct VersionDraft: Sendable {
    public var model: String
    public var source: String
    public var run: String?
    public var runLink: String
    public var loggedModel: String?
    public var description: String
    public var tags: [Pair]

    public init(
        model: String, source: String, run: String?, runLink: String, loggedModel: String?, description: String,
        tags: [Pair]
    ) {
        self.model = model
        self.source = source
        self.run = run
        self.runLink = runLink
        self.loggedModel = loggedModel
        self.description = description
        self.tags = tags
    }
}

extension ModelRegistry {
    /// What was found out of a source.
    struct Finding: Sendable {
        /// What lies there, and the object that it is kept as.
        var manifest: ArtifactManifest
        var bundle: Digest
        var materials: BillOfMaterials
        var metrics: [String: Double]
    }

    /// Registers the next version of a model from a source that was looked at. What it is made of can not be changed any more.
    /// What was imported already, from the same signed statement, stays the version that it became.
    /// - Throws: ``RegistryFailure/unknownModel(_:)``, ``RegistryFailure/invalid(_:)``.
    func register(_ draft: VersionDraft, _ found: Finding, by principal: String) async throws -> RegisteredVersion {
        try RegistryRules.check(draft.tags)
        let now = time.now
        let metricsText = try JSON.string(found.metrics)
        let materialsText = try JSON.string(found.materials)
        return try await database.write { transaction in
            _ = try Self.model(draft.model, in: transaction)
            if let statement = found.materials.origin?.statement,
                let known = try Self.version(of: draft.model, importedBy: statement, in: transaction)
            {
                return try Self.registered(known, in: transaction)
            }
            let id = try Self.nextVersion(of: draft.model, at: now, in: transaction)
            try transaction.execute(
                """
                INSERT INTO model_versions (model, version, stage, bundle, run, materials, metrics, description, created,
                  staged, updated, source, location, run_link, logged_model)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(id.model), .integer(id.version), .text(Stage.none.rawValue),
                    .text(found.bundle.description), .init(draft.run), .text(materialsText), .text(metricsText),
                    .text(draft.description), .init(now), .init(now), .init(now), .text(draft.source),
                    .text(found.manifest.location), .text(draft.runLink), .init(draft.loggedModel),
                ])
            for tag in draft.tags { try Self.insert(tag, of: id, in: transaction) }
            try ExperimentStore.pin(found.manifest, by: "model/\(id)", in: transaction)
            try Self.journal(
                "model.registered", "model/\(id)",
                [
                    "bundle": .string(found.bundle.description), "source": .string(draft.source),
                    "run": draft.run.map { .string($0) } ?? .null, "metrics": try JSON.value(found.metrics),
                    "description": .string(draft.description), "tags": Self.members(draft.tags),
                ], by: principal, at: now, in: transaction)
            return try Self.registered(id, in: transaction)
        }
    }

    /// The version of a model that was imported by a signed statement; nil where none was, or it was deleted.
    static func version(
        of model: String, importedBy statement: Digest, in transaction: Transaction
    ) throws -> ModelVersionID? {
        try transaction.query(
            "SELECT * FROM model_versions WHERE model = ? AND deleted = 0 AND materials LIKE ? ORDER BY version",
            [.text(model), .text("%\(statement.hex)%")]
        ).map(load).first { $0.materials?.origin?.statement == statement }?.id
    }

    /// A version as clients know it.
    /// - Throws: ``RegistryFailure/unknownVersion(_:)``.
    public func registered(_ id: ModelVersionID) async throws -> RegisteredVersion {
        try await database.read { try Self.registered(id, in: $0) }
    }

    /// Describes a version, and journals it.
    /// - Throws: ``RegistryFailure/unknownVersion(_:)``.
    public func describe(
        _ id: ModelVersionID, as description: String, by principal: String
    ) async throws -> RegisteredVersion {
        try await change(id, "model.described", ["description": .string(description)], by: principal) { transaction in
            try transaction.execute(
                "UPDATE model_versions SET description = ? WHERE model = ? AND version = ?",
                [.text(description), .text(id.model), .integer(id.version)])
        }
    }

    /// Sets a tag, and journals it.
    /// - Throws: ``RegistryFailure/unknownVersion(_:)``, ``RegistryFailure/invalid(_:)``.
    public func setTag(_ tag: Pair, of id: ModelVersionID, by principal: String) async throws {
        try RegistryRules.check([tag])
        _ = try await change(
            id, "model.tag", ["key": .string(tag.key), "value": .string(tag.value)], by: principal
        ) { try Self.insert(tag, of: id, in: $0) }
    }

    /// Removes a tag; one that is not there changes nothing.
    /// - Throws: ``RegistryFailure/unknownVersion(_:)``.
    public func deleteTag(_ key: String, of id: ModelVersionID, by principal: String) async throws {
        _ = try await change(id, "model.tag", ["key": .string(key), "removed": true], by: principal) { transaction in
            try transaction.execute(
                "DELETE FROM model_version_tags WHERE model = ? AND version = ? AND key = ?",
                [.text(id.model), .integer(id.version), .text(key)])
        }
    }

    /// Deletes a version and its aliases, and journals it. Its row stays, and so its number is not used again.
    /// - Throws: ``RegistryFailure/inProduction(_:)``, ``RegistryFailure/retained(_:behind:)`` for the one that was there
    ///   before, ``RegistryFailure/unknownVersion(_:)``.
    public func deleteVersion(_ id: ModelVersionID, by principal: String) async throws {
        let now = time.now
        try await database.write { transaction in
            try Self.refuseRetained(try Self.version(id, in: transaction), in: transaction)
            try ExperimentStore.unpin(by: "model/\(id)", in: transaction)
            try Self.journal("model.version_deleted", "model/\(id)", [:], by: principal, at: now, in: transaction)
            let key: [SQLValue] = [.text(id.model), .integer(id.version)]
            try transaction.execute("UPDATE model_versions SET deleted = 1 WHERE model = ? AND version = ?", key)
            try transaction.execute("DELETE FROM model_aliases WHERE model = ? AND version = ?", key)
            try transaction.execute("DELETE FROM model_version_tags WHERE model = ? AND version = ?", key)
            try transaction.execute("UPDATE models SET updated = ? WHERE name = ?", [.init(now), .text(id.model)])
        }
    }

    static func registered(_ id: ModelVersionID, in transaction: Transaction) throws -> RegisteredVersion {
        let row = try transaction.first(
            "SELECT * FROM model_versions WHERE model = ? AND version = ? AND deleted = 0",
            [.text(id.model), .integer(id.version)])
        guard let row else { throw RegistryFailure.unknownVersion(id) }
        return try registered(row, in: transaction)
    }

    static func registered(_ row: Row, in transaction: Transaction) throws -> RegisteredVersion {
        let id = ModelVersionID(model: try row.string("model"), version: try row.integer("version"))
        let key: [SQLValue] = [.text(id.model), .integer(id.version)]
        let tags = try transaction.query(
            "SELECT key, value FROM model_version_tags WHERE model = ? AND version = ? ORDER BY key", key
        ).map { Pair(key: try $0.string("key"), value: try $0.string("value")) }
        let aliases = try transaction.query(
            "SELECT alias FROM model_aliases WHERE model = ? AND version = ? ORDER BY alias", key
        ).map { try $0.string("alias") }
        let bundle = "modelworks:/\(try row.string("bundle"))"
        return RegisteredVersion(
            id: id, stage: Stage(rawValue: try row.string("stage")) ?? .none,
            description: try row.string("description"),
            source: try row.optionalString("source") ?? bundle, location: try row.optionalString("location") ?? bundle,
            run: try row.optionalString("run") ?? "", runLink: try row.string("run_link"),
            loggedModel: try row.optionalString("logged_model"), created: try row.timestamp("created"),
            updated: try row.timestamp("updated"), tags: tags, aliases: aliases)
    }

    private func change(
        _ id: ModelVersionID, _ type: String, _ details: JSONValue, by principal: String,
        _ body: @escaping @Sendable (Transaction) throws -> Void
    ) async throws -> RegisteredVersion {
        let now = time.now
        return try await database.write { transaction in
            _ = try Self.version(id, in: transaction)
            try body(transaction)
            try Self.journal(type, "model/\(id)", details, by: principal, at: now, in: transaction)
            try transaction.execute(
                "UPDATE model_versions SET updated = ? WHERE model = ? AND version = ?",
                [.init(now), .text(id.model), .integer(id.version)])
            return try Self.registered(id, in: transaction)
        }
    }

    static func insert(_ tag: Pair, of id: ModelVersionID, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO model_version_tags (model, version, key, value) VALUES (?, ?, ?, ?)
            ON CONFLICT (model, version, key) DO UPDATE SET value = excluded.value
            """, [.text(id.model), .integer(id.version), .text(tag.key), .text(tag.value)])
    }
}

extension ModelRegistry.Finding {
    /// Looks at what lies at a location, and keeps what is there by its digests.
    /// - Parameters:
    ///   - run: that it came from.
    ///   - model: that it is.
    init(
        at location: String, run: RunRecord?, model: LoggedModel?, in experiments: ExperimentStore
    ) async throws {
        manifest = try await experiments.manifest(of: location)
        bundle = try await experiments.keep(manifest)
        materials = BillOfMaterials(
            run: run, model: model, manifest: manifest,
            description: try await experiments.file(
                ModelDescription.path, of: manifest, limit: ModelDescription.lengthLimit))
        metrics = [:]
        for point in run?.metrics ?? model?.metrics.map(\.point) ?? [] where point.value.isFinite {
            metrics[point.key] = point.value
        }
    }
}
