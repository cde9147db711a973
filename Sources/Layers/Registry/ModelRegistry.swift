import Basics
import Journal
import SQL

/// Models, their versions and stages.
///
/// Guarantees: version numbers rise by one and are never used twice, whatever is registered at once; at most one version
/// of a model is in Production at any moment, because the swap is one transaction; every change is journaled in the same
/// transaction; a version that reaches Production has a run, materials and metrics, unless a principal overrides with a
/// reason that is journaled.
public final class ModelRegistry: Sendable {
    private let database: Database
    private let time: any TimeSource

    public init(database: Database, time: any TimeSource) {
        self.database = database
        self.time = time
    }

    public static let migrations = [
        Migration(
            room: "registry", version: 1,
            sql: """
                CREATE TABLE models (name TEXT PRIMARY KEY, created INTEGER NOT NULL, last_version INTEGER NOT NULL);
                CREATE TABLE model_versions (
                  model TEXT NOT NULL REFERENCES models (name), version INTEGER NOT NULL, stage TEXT NOT NULL,
                  bundle TEXT NOT NULL, run TEXT, materials TEXT, metrics TEXT NOT NULL, description TEXT NOT NULL,
                  created INTEGER NOT NULL, staged INTEGER NOT NULL, PRIMARY KEY (model, version));
                CREATE UNIQUE INDEX one_production ON model_versions (model) WHERE stage = 'Production';
                """)
    ]

    /// Registers a bundle as the next version of `model`, in stage None.
    ///
    /// - Parameter key: an idempotency key; the same key returns the version it made before.
    public func register(
        model: String, bundle: Digest, run: String?, materials: BillOfMaterials?, metrics: [String: Double],
        description: String, by principal: String
    ) async throws -> ModelVersion {
        let now = time.now
        let materialsText = try materials.map { try JSON.string($0) }
        let metricsText = try JSON.string(metrics)
        return try await database.write { transaction in
            if let run,
                let row = try transaction.first(
                    "SELECT * FROM model_versions WHERE model = ? AND run = ? AND bundle = ?",
                    [.text(model), .text(run), .text(bundle.description)])
            {
                return try Self.load(row)
            }
            try transaction.execute(
                "INSERT INTO models (name, created, last_version) VALUES (?, ?, 0) ON CONFLICT (name) DO NOTHING",
                [.text(model), .init(now)])
            try transaction.execute(
                "UPDATE models SET last_version = last_version + 1 WHERE name = ?", [.text(model)])
            guard let row = try transaction.first("SELECT last_version FROM models WHERE name = ?", [.text(model)])
            else { throw RegistryFailure.unknownModel(model) }
            let id = ModelVersionID(model: model, version: try row.integer("last_version"))
            try transaction.execute(
                """
                INSERT INTO model_versions
                  (model, version, stage, bundle, run, materials, metrics, description, created, staged)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(model), .integer(id.version), .text(Stage.none.rawValue), .text(bundle.description),
                    run.map { .text($0) } ?? .null, materialsText.map { .text($0) } ?? .null, .text(metricsText),
                    .text(description), .init(now), .init(now),
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

    /// Moves a version to `stage`; a version that held Production goes to Archived in the same transaction.
    ///
    /// - Parameter override: the reason for promoting a version whose record is incomplete; journaled.
    /// - Throws: ``RegistryFailure/forbiddenTransition(_:from:to:)``, ``RegistryFailure/incomplete(_:missing:)``.
    @discardableResult
    public func move(
        _ id: ModelVersionID, to stage: Stage, reason: String, override: String? = nil, by principal: String
    ) async throws -> ModelVersion {
        let now = time.now
        return try await database.write { transaction in
            let version = try Self.version(id, in: transaction)
            if version.stage == stage { return version }
            guard version.stage.allows(stage) else {
                throw RegistryFailure.forbiddenTransition(id, from: version.stage, to: stage)
            }
            if stage == .production, override == nil {
                let missing = Self.missing(in: version)
                guard missing.isEmpty else { throw RegistryFailure.incomplete(id, missing: missing) }
            }
            if stage == .production,
                let holder = try transaction.first(
                    "SELECT * FROM model_versions WHERE model = ? AND stage = 'Production'", [.text(id.model)])
            {
                let previous = try Self.load(holder)
                try Self.set(previous.id, from: .production, to: .archived, in: transaction, at: now)
                try Journal.append(
                    JournalDraft(
                        principal: principal, type: "model.stage", subject: "model/\(previous.id)",
                        body: ["from": "Production", "to": "Archived", "reason": .string("replaced by \(id)")]),
                    in: transaction, at: now)
            }
            try Self.set(id, from: version.stage, to: stage, in: transaction, at: now)
            try Journal.append(
                JournalDraft(
                    principal: principal, type: "model.stage", subject: "model/\(id)",
                    body: [
                        "from": .string(version.stage.rawValue), "to": .string(stage.rawValue),
                        "reason": .string(reason), "override": override.map { .string($0) } ?? .null,
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
                return try transaction.query("SELECT * FROM model_versions ORDER BY model, version DESC", [])
                    .map(Self.load)
            }
            let rows = try transaction.query(
                "SELECT * FROM model_versions WHERE model = ? ORDER BY version DESC", [.text(model)])
            guard !rows.isEmpty else { throw RegistryFailure.unknownModel(model) }
            return try rows.map(Self.load)
        }
    }

    /// The version in Production, or nil.
    public func production(of model: String) async throws -> ModelVersion? {
        try await database.read { transaction in
            try transaction.first(
                "SELECT * FROM model_versions WHERE model = ? AND stage = 'Production'", [.text(model)]
            ).map(Self.load)
        }
    }

    private static func missing(in version: ModelVersion) -> [String] {
        var missing: [String] = []
        if version.run == nil { missing.append("the run") }
        if version.materials == nil { missing.append("the bill of materials") }
        if version.metrics.isEmpty { missing.append("metrics") }
        return missing
    }

    private static func set(
        _ id: ModelVersionID, from: Stage, to: Stage, in transaction: Transaction, at now: Timestamp
    ) throws {
        try transaction.execute(
            "UPDATE model_versions SET stage = ?, staged = ? WHERE model = ? AND version = ? AND stage = ?",
            [.text(to.rawValue), .init(now), .text(id.model), .integer(id.version), .text(from.rawValue)])
    }

    private static func version(_ id: ModelVersionID, in transaction: Transaction) throws -> ModelVersion {
        guard
            let row = try transaction.first(
                "SELECT * FROM model_versions WHERE model = ? AND version = ?", [.text(id.model), .integer(id.version)])
        else { throw RegistryFailure.unknownVersion(id) }
        return try load(row)
    }

    private static func load(_ row: Row) throws -> ModelVersion {
        let id = ModelVersionID(model: try row.string("model"), version: try row.integer("version"))
        guard let bundle = Digest(try row.string("bundle")), let stage = Stage(rawValue: try row.string("stage")) else {
            throw RegistryFailure.unknownVersion(id)
        }
        return ModelVersion(
            id: id, stage: stage, bundle: bundle, run: try row.optionalString("run"),
            materials: try row.optionalString("materials").map { try JSON.decode(BillOfMaterials.self, from: $0) },
            metrics: try JSON.decode([String: Double].self, from: try row.string("metrics")),
            description: try row.string("description"), created: try row.timestamp("created"),
            staged: try row.timestamp("staged"))
    }
}
