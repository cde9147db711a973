import Basics
import Journal
import SQL
import Synchronization

/// Models, their versions and stages.
///
/// Guarantees: version numbers rise by one and are never used twice, whatever is registered at once; at most one version
/// of a model is in Production at any moment, because the swap is one transaction; every change is journaled in the same
/// transaction; of a version that reaches Production everything is known that the policy asks for, unless a principal
/// overrides with a reason that is journaled; the version that was in Production before can not be deleted.
public final class ModelRegistry: Sendable {
    let database: Database
    let time: any TimeSource
    private let inForce = Mutex(RegistryPolicy.open)

    public init(database: Database, time: any TimeSource) {
        self.database = database
        self.time = time
    }

    /// What is asked before a version moves.
    public var policy: RegistryPolicy { inForce.withLock { $0 } }

    /// Puts a policy in force; nil where there is no factory.
    public func use(_ policy: RegistryPolicy?) { inForce.withLock { $0 = policy ?? .open } }

    /// Registers a bundle as the next version of `model`, in stage None; the same bundle of the same run is one version.
    ///
    /// - Throws: ``RegistryFailure/invalid(_:)`` for a name that a model can not have.
    public func register(
        model: String, bundle: Digest, run: String?, materials: BillOfMaterials?, metrics: [String: Double],
        description: String, by principal: String
    ) async throws -> ModelVersion {
        try RegistryRules.checkName(model)
        let now = time.now
        let materialsText = try materials.map { try JSON.string($0) }
        let metricsText = try JSON.string(metrics)
        return try await database.write { transaction in
            if let run,
                let row = try transaction.first(
                    "SELECT * FROM model_versions WHERE model = ? AND run = ? AND bundle = ? AND deleted = 0",
                    [.text(model), .text(run), .text(bundle.description)])
            {
                return try Self.load(row)
            }
            let id = try Self.nextVersion(of: model, at: now, in: transaction)
            try transaction.execute(
                """
                INSERT INTO model_versions
                  (model, version, stage, bundle, run, materials, metrics, description, created, staged, updated)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(model), .integer(id.version), .text(Stage.none.rawValue), .text(bundle.description),
                    run.map { .text($0) } ?? .null, materialsText.map { .text($0) } ?? .null, .text(metricsText),
                    .text(description), .init(now), .init(now), .init(now),
                ])
            try Journal.append(
                JournalDraft(
                    principal: principal, type: "model.registered", subject: "model/\(id)",
                    body: [
                        "bundle": .string(bundle.description), "run": run.map { .string($0) } ?? .null,
                        "metrics": try JSON.value(metrics),
                    ]),
                in: transaction, at: now)
            return try Self.version(id, in: transaction)
        }
    }

    public func version(_ id: ModelVersionID) async throws -> ModelVersion {
        try await database.read { try Self.version(id, in: $0) }
    }

    /// Versions of one model or of all, newest first.
    public func versions(of model: String? = nil) async throws -> [ModelVersion] {
        try await database.read { transaction in
            guard let model else {
                return try transaction.query(
                    "SELECT * FROM model_versions WHERE deleted = 0 ORDER BY model, version DESC", []
                )
                .map(Self.load)
            }
            let rows = try transaction.query(
                "SELECT * FROM model_versions WHERE model = ? AND deleted = 0 ORDER BY version DESC", [.text(model)])
            guard !rows.isEmpty else { throw RegistryFailure.unknownModel(model) }
            return try rows.map(Self.load)
        }
    }

    /// The version in Production, or nil.
    public func production(of model: String) async throws -> ModelVersion? {
        try await database.read { transaction in
            try transaction.first(
                "SELECT * FROM model_versions WHERE model = ? AND stage = 'Production' AND deleted = 0", [.text(model)]
            ).map(Self.load)
        }
    }

    /// Takes the next number of a model, which is made where there is none, or was deleted.
    static func nextVersion(
        of model: String, at now: Timestamp, in transaction: Transaction
    ) throws -> ModelVersionID {
        try transaction.execute(
            """
            INSERT INTO models (name, created, last_version, updated) VALUES (?, ?, 1, ?)
            ON CONFLICT (name) DO UPDATE SET
              last_version = models.last_version + 1, updated = excluded.updated, deleted = 0
            """, [.text(model), .init(now), .init(now)])
        guard let row = try transaction.first("SELECT last_version FROM models WHERE name = ?", [.text(model)]) else {
            throw RegistryFailure.unknownModel(model)
        }
        return ModelVersionID(model: model, version: try row.integer("last_version"))
    }

    static func version(_ id: ModelVersionID, in transaction: Transaction) throws -> ModelVersion {
        guard
            let row = try transaction.first(
                "SELECT * FROM model_versions WHERE model = ? AND version = ? AND deleted = 0",
                [.text(id.model), .integer(id.version)])
        else { throw RegistryFailure.unknownVersion(id) }
        return try load(row)
    }

    static func load(_ row: Row) throws -> ModelVersion {
        let id = ModelVersionID(model: try row.string("model"), version: try row.integer("version"))
        guard let bundle = Digest(try row.string("bundle")), let stage = Stage(rawValue: try row.string("stage")) else {
            throw RegistryFailure.unknownVersion(id)
        }
        return ModelVersion(
            id: id, stage: stage, bundle: bundle, run: try row.optionalString("run"),
            materials: try row.optionalString("materials").map { try JSON.decode(BillOfMaterials.self, from: $0) },
            metrics: try JSON.decode([String: Double].self, from: try row.string("metrics")),
            description: try row.string("description"), created: try row.timestamp("created"),
            staged: try row.timestamp("staged"), source: try row.optionalString("source"))
    }
}
