import Basics
import Experiments
import Journal
import SQL

/// Brings in registered models that come from elsewhere, with the numbers, stages and times that they had.
public struct ModelIntake: Sendable {
    private let registry: ModelRegistry
    private let experiments: ExperimentStore

    public init(registry: ModelRegistry, experiments: ExperimentStore) {
        self.registry = registry
        self.experiments = experiments
    }

    /// Brings in a model whose runs, logged models and files are here already, and journals each version that is new. It may
    /// be asked for again, and then changes nothing but what a version is made of whose files had been left behind and have
    /// come since.
    /// - Parameter isRehearsal: only finds out whether it would work.
    /// - Throws: ``RegistryFailure/modelTaken(_:)`` where the name is, or was, another model's.
    public func adopt(_ model: ArchivedModel, isRehearsal: Bool = false, by principal: String) async throws {
        if isRehearsal { return try await registry.refuseAnother(model) }
        var arrivals: [ModelRegistry.Arrival] = []
        for version in model.versions {
            let run = version.run.isEmpty ? nil : try? await experiments.record(version.run)
            var model: LoggedModel?
            if let id = version.loggedModel { model = try? await experiments.loggedModel(id) }
            arrivals.append(
                .init(
                    version: version,
                    found: try await ModelRegistry.Finding(
                        at: version.location, run: run, model: model, in: experiments)))
        }
        try await registry.adopt(model, arrivals, by: principal)
    }
}

extension ModelRegistry {
    /// A version that is brought in, with what was found of it.
    struct Arrival: Sendable {
        var version: ArchivedModel.Version
        var found: Finding
    }

    func refuseAnother(_ model: ArchivedModel) async throws {
        _ = try await database.read { try Self.isNew(model, in: $0) }
    }

    func adopt(_ model: ArchivedModel, _ arrivals: [Arrival], by principal: String) async throws {
        try RegistryRules.checkName(model.name)
        try RegistryRules.check(Self.pairs(model.tags) + model.versions.flatMap { Self.pairs($0.tags) })
        for alias in model.aliases.keys { try RegistryRules.checkAlias(alias) }
        let now = time.now
        try await database.write { transaction in
            if try Self.isNew(model, in: transaction) {
                try Self.journal(
                    "model.imported", "model/\(model.name)", ["versions": .integer(Int64(model.versions.count))],
                    by: principal, at: now, in: transaction)
            }
            try transaction.execute(
                """
                INSERT INTO models (name, created, last_version, description, updated) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET
                  description = excluded.description, updated = excluded.updated, last_version = excluded.last_version
                """,
                [
                    .text(model.name), .init(model.created), .integer(model.lastVersion), .text(model.description),
                    .init(model.updated),
                ])
            for tag in Self.pairs(model.tags) { try Self.insert(tag, of: model.name, in: transaction) }
            for arrival in arrivals { try Self.adopt(arrival, of: model.name, by: principal, at: now, in: transaction) }
            for (alias, version) in model.aliases {
                try transaction.execute(
                    """
                    INSERT INTO model_aliases (model, alias, version) VALUES (?, ?, ?)
                    ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version
                    """, [.text(model.name), .text(alias), .integer(version)])
            }
        }
    }

    private static func adopt(
        _ arrival: Arrival, of model: String, by principal: String, at now: Timestamp, in transaction: Transaction
    ) throws {
        let (version, found) = (arrival.version, arrival.found)
        let id = ModelVersionID(model: model, version: version.number)
        let known = try transaction.first(
            "SELECT version FROM model_versions WHERE model = ? AND version = ?",
            [.text(model), .integer(version.number)])
        guard known == nil else { return try receive(found, by: id, principal, at: now, in: transaction) }
        try transaction.execute(
            """
            INSERT INTO model_versions (model, version, stage, bundle, run, materials, metrics, description,
              created, staged, updated, source, location, run_link, logged_model)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .text(model), .integer(version.number), .text(version.stage.rawValue),
                .text(found.bundle.description), .init(version.run.isEmpty ? nil : version.run),
                .text(try JSON.string(found.materials)), .text(try JSON.string(found.metrics)),
                .text(version.description), .init(version.created),
                .init(version.updated), .init(version.updated), .text(version.source), .text(version.location),
                .text(version.runLink), .init(version.loggedModel),
            ])
        for tag in pairs(version.tags) { try insert(tag, of: id, in: transaction) }
        try ExperimentStore.pin(found.manifest, by: "model/\(id)", isAwaiting: true, in: transaction)
        try journal(
            "model.registered", "model/\(id)",
            [
                "bundle": .string(found.bundle.description), "source": .string(version.source),
                "run": .string(version.run), "metrics": try JSON.value(found.metrics),
                "stage": .string(version.stage.rawValue), "imported": true,
            ], by: principal, at: now, in: transaction)
    }

    /// Makes the files that have come what a version is made of that awaits them, once and for all.
    private static func receive(
        _ found: Finding, by id: ModelVersionID, _ principal: String, at now: Timestamp, in transaction: Transaction
    ) throws {
        let isAwaiting = try ExperimentStore.awaiting(below: "model/\(id.model)", in: transaction)
            .contains("model/\(id)")
        guard isAwaiting, !found.manifest.files.isEmpty else { return }
        try ExperimentStore.settle(found.manifest, by: "model/\(id)", in: transaction)
        try transaction.execute(
            "UPDATE model_versions SET bundle = ?, materials = ? WHERE model = ? AND version = ?",
            [
                .text(found.bundle.description), .text(try JSON.string(found.materials)), .text(id.model),
                .integer(id.version),
            ])
        try journal(
            "model.files", "model/\(id)",
            [
                "bundle": .string(found.bundle.description), "files": .integer(Int64(found.manifest.files.count)),
            ], by: principal, at: now, in: transaction)
    }

    /// Whether versions of the model await the files that were left behind when they were brought in.
    public func awaitsFiles(_ model: String) async throws -> Bool {
        try await database.read { try !ExperimentStore.awaiting(below: "model/\(model)", in: $0).isEmpty }
    }

    /// The model as a document; nil where there is none of the name.
    public func archived(model name: String) async throws -> ArchivedModel? {
        try await database.read { transaction in
            guard let row = try Self.modelRow(name, in: transaction) else { return nil }
            let model = try Self.model(name, in: transaction)
            func members(_ pairs: [Pair]) -> [String: String] { pairs.reduce(into: [:]) { $0[$1.key] = $1.value } }
            let versions = try transaction.query(
                "SELECT * FROM model_versions WHERE model = ? AND deleted = 0", [.text(name)]
            ).map { row in
                let version = try Self.registered(row, in: transaction)
                return ArchivedModel.Version(
                    number: version.id.version, stage: version.stage, description: version.description,
                    source: version.source, location: version.location, run: version.run, runLink: version.runLink,
                    loggedModel: version.loggedModel, created: version.created, updated: version.updated,
                    tags: members(version.tags))
            }
            return ArchivedModel(
                name: name, description: model.description, created: model.created, updated: model.updated,
                tags: members(model.tags),
                aliases: model.aliases.reduce(into: [:]) { $0[$1.name] = $1.version },
                lastVersion: try row.integer("last_version"), versions: versions)
        }
    }

    /// Whether nothing of the model is here yet.
    private static func isNew(_ model: ArchivedModel, in transaction: Transaction) throws -> Bool {
        let row = try transaction.first("SELECT * FROM models WHERE name = ?", [.text(model.name)])
        guard let row else { return true }
        // A name that was deleted goes on counting, so its numbers can not be given to other versions.
        guard try row.integer("deleted") == 0, try row.timestamp("created") == model.created,
            try row.integer("last_version") <= model.lastVersion
        else { throw RegistryFailure.modelTaken(model.name) }
        return false
    }

    private static func pairs(_ members: [String: String]) -> [Pair] {
        members.map { Pair(key: $0.key, value: $0.value) }.sorted { $0.key < $1.key }
    }
}
