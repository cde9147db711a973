import Basics
import Journal
import SQL

/// Who moved a version where, and why.
struct StageMove: Sendable {
    var stage: Stage
    var reason: String
    /// The reason for moving a version to Production of which not everything is known that should be.
    var override: String?
    /// Whether versions that are in the stage go to Archived; in Production the one always does.
    var replacing = false
    var principal: String
    /// The request that was approved.
    var request: Int64?
}

/// Something that was done to a version, as the journal has it.
public struct VersionEvent: Sendable, Codable, Equatable {
    /// Of the journal's entry.
    public var sequence: Int64
    public var time: Timestamp
    public var principal: String
    /// Such as `model.stage`.
    public var type: String
    public var body: JSONValue
}

extension ModelRegistry {
    /// Moves a version to `stage`; a version that held Production goes to Archived in the same transaction.
    ///
    /// - Parameters:
    ///   - override: the reason for promoting a version whose record is incomplete; journaled.
    ///   - replacing: whether versions that are in the stage go to Archived; in Production the one always does.
    /// - Throws: ``RegistryFailure/forbiddenTransition(_:from:to:)``, ``RegistryFailure/incomplete(_:missing:)``,
    ///   ``RegistryFailure/needsApproval(_:to:approvals:)`` where the policy asks for more than one person.
    @discardableResult
    public func move(
        _ id: ModelVersionID, to stage: Stage, reason: String, override: String? = nil, replacing: Bool = false,
        by principal: String
    ) async throws -> ModelVersion {
        let (now, policy) = (time.now, policy)
        let move = StageMove(
            stage: stage, reason: reason, override: override, replacing: replacing, principal: principal)
        return try await database.write { transaction in
            try Self.lock(id.model, in: transaction)
            let version = try Self.version(id, in: transaction)
            if version.stage == stage { return version }
            let approvals = policy.approvals(to: stage)
            guard approvals == 0 else { throw RegistryFailure.needsApproval(id, to: stage, approvals: approvals) }
            return try Self.carryOut(move, of: version, under: policy, at: now, in: transaction)
        }
    }

    /// What was done to a version, oldest first, also under names that its model had before.
    /// - Throws: ``RegistryFailure/unknownVersion(_:)``.
    public func history(of id: ModelVersionID) async throws -> [VersionEvent] {
        try await database.read { transaction in
            _ = try Self.version(id, in: transaction)
            var entries: [JournalEntry] = []
            var names: Set<String> = []
            var name: String? = id.model
            while let current = name, names.insert(current).inserted {
                entries += try Journal.entries(
                    in: transaction, limit: Self.historyMax, subject: "model/\(current)/\(id.version)")
                let renamings = try Journal.entries(
                    in: transaction, limit: Self.historyMax, type: "model.renamed", subject: "model/\(current)")
                name = try renamings.compactMap { try $0.body()["from"]?.string }.last
            }
            return try entries.sorted { $0.sequence < $1.sequence }.map {
                VersionEvent(
                    sequence: $0.sequence, time: $0.time, principal: $0.principal, type: $0.type, body: try $0.body())
            }
        }
    }

    private static let historyMax = 10_000

    /// The version that was in Production before the one that is now: kept, so that it can be put back.
    public func previousProduction(of model: String) async throws -> ModelVersion? {
        try await database.read { try Self.retained(of: model, in: $0)?.previous }
    }

    /// Refuses to let a version answer alone to which people have yet to agree: where the policy asks for their approval,
    /// that is any version outside Production. For the transaction that gives it the traffic.
    /// - Throws: ``RegistryFailure/notApproved(_:approvals:)``.
    public func refuseUnapproved(_ id: ModelVersionID, in transaction: Transaction) throws {
        let approvals = policy.approvals(to: .production)
        guard approvals > 0, try Self.version(id, in: transaction).stage != .production else { return }
        throw RegistryFailure.notApproved(id, approvals: approvals)
    }

    /// Makes others that change versions of a model wait until the transaction ends.
    static func lock(_ model: String, in transaction: Transaction) throws {
        try transaction.execute("UPDATE models SET last_version = last_version WHERE name = ?", [.text(model)])
    }

    /// Moves a version that may be moved, so far as persons are concerned.
    static func carryOut(
        _ move: StageMove, of version: ModelVersion, under policy: RegistryPolicy, at now: Timestamp,
        in transaction: Transaction
    ) throws -> ModelVersion {
        let (id, stage) = (version.id, move.stage)
        guard version.stage.allows(stage) else {
            throw RegistryFailure.forbiddenTransition(id, from: version.stage, to: stage)
        }
        if stage == .production, move.override == nil {
            let missing = policy.missing(in: version)
            guard missing.isEmpty else { throw RegistryFailure.incomplete(id, missing: missing) }
        }
        if stage == .production || move.replacing {
            for holder in try transaction.query(
                "SELECT * FROM model_versions WHERE model = ? AND stage = ? AND deleted = 0 ORDER BY version",
                [.text(id.model), .text(stage.rawValue)])
            {
                let previous = try Self.load(holder)
                let body: JSONValue = [
                    "from": .string(stage.rawValue), "to": "Archived", "reason": .string("replaced by \(id)"),
                ]
                try set(previous, to: .archived, body, move, at: now, in: transaction)
            }
        }
        var body: [String: JSONValue] = [
            "from": .string(version.stage.rawValue), "to": .string(stage.rawValue), "reason": .string(move.reason),
            "override": move.override.map { .string($0) } ?? .null,
        ]
        if let request = move.request { body["request"] = .integer(request) }
        try set(version, to: stage, .object(body), move, at: now, in: transaction)
        try transaction.execute("UPDATE models SET updated = ? WHERE name = ?", [.init(now), .text(id.model)])
        return try Self.version(id, in: transaction)
    }

    /// Refuses to let go of a version that serves, or that is kept in case the one that serves must be taken back.
    static func refuseRetained(_ version: ModelVersion, in transaction: Transaction) throws {
        guard version.stage != .production else { throw RegistryFailure.inProduction(version.id) }
        if let retained = try retained(of: version.id.model, in: transaction), retained.previous.id == version.id {
            throw RegistryFailure.retained(version.id, behind: retained.current)
        }
    }

    private static func retained(
        of model: String, in transaction: Transaction
    ) throws -> (previous: ModelVersion, current: ModelVersionID)? {
        let current = try transaction.first(
            "SELECT version FROM model_versions WHERE model = ? AND stage = 'Production' AND deleted = 0",
            [.text(model)])
        let previous = try transaction.first(
            """
            SELECT * FROM model_versions WHERE model = ? AND stage <> 'Production' AND deleted = 0
              AND retired IS NOT NULL ORDER BY retired DESC, version DESC LIMIT 1
            """, [.text(model)])
        guard let current, let previous else { return nil }
        return (
            try load(previous), ModelVersionID(model: model, version: try current.integer("version"))
        )
    }

    private static func set(
        _ version: ModelVersion, to stage: Stage, _ body: JSONValue, _ move: StageMove, at now: Timestamp,
        in transaction: Transaction
    ) throws {
        let id = version.id
        try transaction.execute(
            "UPDATE model_versions SET stage = ?, staged = ?, updated = ? WHERE model = ? AND version = ?",
            [.text(stage.rawValue), .init(now), .init(now), .text(id.model), .integer(id.version)])
        if version.stage == .production {
            try transaction.execute(
                "UPDATE model_versions SET retired = ? WHERE model = ? AND version = ?",
                [.init(now), .text(id.model), .integer(id.version)])
        }
        try journal("model.stage", "model/\(id)", body, by: move.principal, at: now, in: transaction)
        // People were asked about the version where it was.
        try endRequests(
            for: id, besides: move.request, because: "it went from \(version.stage.rawValue) to \(stage.rawValue)",
            by: move.principal, at: now, in: transaction)
    }
}
