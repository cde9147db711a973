import Basics
import Journal
import SQL

extension ExperimentStore {
    /// Makes an experiment and journals it.
    /// - Parameter location: where its artifacts are, as a URI; nil for the factory's own store.
    /// - Returns: its id, which is never used again.
    /// - Throws: ``ExperimentsFailure/experimentExists(_:)``, or `.invalid(_:remedy:)`.
    public func createExperiment(
        named name: String, location: String?, tags: [Pair], by principal: String
    ) async throws -> Int64 {
        try Self.checkName(name)
        if let location { try Self.checkLocation(location) }
        for tag in tags { try Self.checkExperimentTag(tag) }
        let now = time.now
        return try await database.write { transaction in
            guard try Self.experiment(named: name, in: transaction) == nil else {
                throw ExperimentsFailure.experimentExists(name)
            }
            return try Self.insertExperiment(
                named: name, location: location, tags: tags, by: principal, at: now, in: transaction
            ).id
        }
    }

    /// An experiment, deleted or not.
    /// - Throws: ``ExperimentsFailure/unknownExperiment(_:)``.
    public func experiment(_ id: Int64) async throws -> Experiment {
        try await database.read { try Self.experiment(id, in: $0) }
    }

    /// An experiment by its name, deleted or not.
    /// - Throws: ``ExperimentsFailure/unknownExperimentName(_:)``.
    public func experiment(named name: String) async throws -> Experiment {
        try await database.read { transaction in
            guard let found = try Self.experiment(named: name, in: transaction) else {
                throw ExperimentsFailure.unknownExperimentName(name)
            }
            return found
        }
    }

    /// Gives an experiment another name.
    /// - Throws: ``ExperimentsFailure/renameOfDeleted(_:)``, `.experimentExists(_:)`, `.unknownExperiment(_:)`.
    public func renameExperiment(_ id: Int64, to name: String, by principal: String) async throws {
        try Self.checkName(name)
        let now = time.now
        try await database.write { transaction in
            let found = try Self.experiment(id, in: transaction)
            guard found.stage == .active else { throw ExperimentsFailure.renameOfDeleted(id) }
            guard found.name != name else { return }
            guard try Self.experiment(named: name, in: transaction) == nil else {
                throw ExperimentsFailure.experimentExists(name)
            }
            try Self.journal(
                "experiment.renamed", id, ["from": .string(found.name), "to": .string(name)], by: principal, at: now,
                in: transaction)
            try transaction.execute(
                "UPDATE experiments SET name = ?, updated = ? WHERE id = ?", [.text(name), .init(now), .integer(id)])
        }
    }

    /// Deletes or restores an experiment and all its runs; both are kept.
    /// - Throws: ``ExperimentsFailure/unknownExperiment(_:)`` where there is none in the other stage.
    public func moveExperiment(_ id: Int64, to stage: LifecycleStage, by principal: String) async throws {
        let now = time.now
        try await database.write { transaction in
            guard try Self.experiment(id, in: transaction).stage != stage else {
                throw ExperimentsFailure.unknownExperiment(id)
            }
            try Self.journal(
                stage == .deleted ? "experiment.deleted" : "experiment.restored", id, [:], by: principal, at: now,
                in: transaction)
            try transaction.execute(
                "UPDATE experiments SET stage = ?, updated = ? WHERE id = ?",
                [.text(stage.rawValue), .init(now), .integer(id)])
            try transaction.execute(
                "UPDATE runs SET stage = ? WHERE experiment = ?", [.text(stage.rawValue), .integer(id)])
        }
    }

    /// Sets a tag of an experiment.
    /// - Throws: ``ExperimentsFailure/experimentDeleted(_:)``, `.unknownExperiment(_:)`, `.invalid(_:remedy:)`.
    public func setExperimentTag(_ tag: Pair, on id: Int64) async throws {
        try Self.checkExperimentTag(tag)
        try await database.write { transaction in
            try Self.requireActive(id, in: transaction)
            try Self.insert(tag, on: id, in: transaction)
        }
    }

    /// Removes a tag of an experiment.
    /// - Throws: ``ExperimentsFailure/unknownTag(_:)``, and as ``setExperimentTag(_:on:)``.
    public func deleteExperimentTag(_ key: String, on id: Int64) async throws {
        try await database.write { transaction in
            try Self.requireActive(id, in: transaction)
            let count = try transaction.execute(
                "DELETE FROM experiment_tags WHERE experiment = ? AND key = ?", [.integer(id), .text(key)])
            guard count > 0 else { throw ExperimentsFailure.unknownTag(key) }
        }
    }

    static func insertExperiment(
        named name: String, location: String?, tags: [Pair], by principal: String, at now: Timestamp,
        in transaction: Transaction
    ) throws -> Experiment {
        // The journal comes first: who holds its end is alone in counting up.
        try Journal.append(
            JournalDraft(
                principal: principal, type: "experiment.created", subject: "experiment/\(name)",
                body: ["location": location.map { .string($0) } ?? .null]), in: transaction, at: now)
        let id = try transaction.first("SELECT max(id) + 1 AS next FROM experiments")?.integer("next") ?? 0
        let place = location ?? "mlflow-artifacts:/\(id)"
        try transaction.execute(
            "INSERT INTO experiments (id, name, location, stage, created, updated) VALUES (?, ?, ?, ?, ?, ?)",
            [
                .integer(id), .text(name), .text(place), .text(LifecycleStage.active.rawValue), .init(now), .init(now),
            ])
        for tag in tags { try insert(tag, on: id, in: transaction) }
        return Experiment(
            id: id, name: name, location: place, stage: .active, created: now, updated: now, tags: tags)
    }

    static func experiment(named name: String, in transaction: Transaction) throws -> Experiment? {
        try experiments(
            of: transaction.query("SELECT * FROM experiments WHERE name = ?", [.text(name)]), in: transaction
        ).first
    }

    static func experiment(_ id: Int64, in transaction: Transaction) throws -> Experiment {
        let rows = try transaction.query("SELECT * FROM experiments WHERE id = ?", [.integer(id)])
        guard let found = try experiments(of: rows, in: transaction).first else {
            throw ExperimentsFailure.unknownExperiment(id)
        }
        return found
    }

    static func experiments(of rows: [Row], in transaction: Transaction) throws -> [Experiment] {
        try rows.map { row in
            let id = try row.integer("id")
            let tags = try transaction.query(
                "SELECT key, value FROM experiment_tags WHERE experiment = ? ORDER BY key", [.integer(id)]
            ).map { Pair(key: try $0.string("key"), value: try $0.string("value")) }
            return Experiment(
                id: id, name: try row.string("name"), location: try row.string("location"),
                stage: LifecycleStage(rawValue: try row.string("stage")) ?? .deleted,
                created: try row.timestamp("created"), updated: try row.timestamp("updated"), tags: tags)
        }
    }

    /// - Throws: ``ExperimentsFailure/experimentDeleted(_:)``, `.unknownExperiment(_:)`.
    @discardableResult
    static func requireActive(_ id: Int64, in transaction: Transaction) throws -> String {
        guard
            let row = try transaction.first("SELECT stage, location FROM experiments WHERE id = ?", [.integer(id)])
        else { throw ExperimentsFailure.unknownExperiment(id) }
        guard try row.string("stage") == LifecycleStage.active.rawValue else {
            throw ExperimentsFailure.experimentDeleted(id)
        }
        return try row.string("location")
    }

    static func insert(_ tag: Pair, on id: Int64, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO experiment_tags (experiment, key, value) VALUES (?, ?, ?)
            ON CONFLICT (experiment, key) DO UPDATE SET value = excluded.value
            """, [.integer(id), .text(tag.key), .text(tag.value)])
    }

    private static func journal(
        _ type: String, _ id: Int64, _ body: JSONValue, by principal: String, at now: Timestamp,
        in transaction: Transaction
    ) throws {
        try Journal.append(
            JournalDraft(principal: principal, type: type, subject: "experiment/\(id)", body: body), in: transaction,
            at: now)
    }

    private static func checkName(_ name: String) throws {
        guard !name.allSatisfy(\.isWhitespace) else {
            throw ExperimentsFailure.invalid(
                "Invalid value \"\(name)\" for parameter 'name' supplied: Experiment name cannot be empty", remedy: nil)
        }
        try RecordRules.checkLength(name, RecordRules.experimentNameLength, "name")
    }

    private static func checkExperimentTag(_ tag: Pair) throws {
        try RecordRules.checkKey(tag.key, "key")
        try RecordRules.checkLength(tag.value, RecordRules.experimentTagLength, "value")
    }

    private static func checkLocation(_ location: String) throws {
        let hasMore = location.utf8.contains { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }
        guard !PathBytes.names(of: location).contains(".."), !hasMore, location.utf8.count <= 2048 else {
            throw ExperimentsFailure.invalid(
                "Invalid artifact location: '\(location)'",
                remedy: "It has no '..', no query and no fragment, and at most 2048 characters.")
        }
    }
}
