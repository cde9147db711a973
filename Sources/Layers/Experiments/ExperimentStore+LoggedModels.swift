import Basics
import SQL

extension ExperimentStore {
    /// Makes a logged model, whose files are still to come.
    /// - Parameter name: nil for one that is made up.
    /// - Throws: ``ExperimentsFailure/experimentDeleted(_:)``, `.unknownExperiment(_:)`, `.invalid(_:remedy:)`.
    public func createLoggedModel(
        in experiment: Int64, name: String?, type: String, sourceRun: String, parameters: [Pair], tags: [Pair]
    ) async throws -> LoggedModel {
        let name = name.flatMap { $0.isEmpty ? nil : $0 } ?? RunNames.name(from: random)
        guard !name.utf8.contains(where: { "/:.%\"'".utf8.contains($0) }) else {
            throw ExperimentsFailure.invalid(
                "Invalid model name ('\(name)') provided. Model name must be a non-empty string and cannot contain the "
                    + "following characters: ('/', ':', '.', '%', '\"', \"'\")", remedy: nil)
        }
        let batch = try RecordRules.checked(RunBatch(parameters: parameters, tags: tags))
        let id = "m-\(random.identifier())"
        let now = time.now
        return try await database.write { transaction in
            let location = try Self.requireActive(experiment, in: transaction)
            try transaction.execute(
                """
                INSERT INTO logged_models
                  (id, experiment, name, location, status, model_type, source_run, created, updated, stage)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(id), .integer(experiment), .text(name),
                    .text(PathBytes.append("models/\(id)/artifacts", to: location)),
                    .text(LoggedModelStatus.pending.rawValue), .text(type), .text(sourceRun), .init(now), .init(now),
                    .text(LifecycleStage.active.rawValue),
                ])
            try Self.insert(batch.parameters, "logged_model_parameters", of: id, in: transaction)
            try Self.insert(batch.tags, "logged_model_tags", of: id, in: transaction)
            return try Self.loggedModel(id, in: transaction)
        }
    }

    /// - Parameter allowingDeleted: whether one that was deleted is found too.
    /// - Throws: ``ExperimentsFailure/unknownLoggedModel(_:)``.
    public func loggedModel(_ id: String, allowingDeleted: Bool = false) async throws -> LoggedModel {
        try await database.read { try Self.loggedModel(id, allowingDeleted: allowingDeleted, in: $0) }
    }

    /// Tells that the files of a logged model are there, or will not be.
    /// - Throws: ``ExperimentsFailure/unknownLoggedModel(_:)``.
    public func finishLoggedModel(_ id: String, as status: LoggedModelStatus) async throws -> LoggedModel {
        try await change(id) { transaction in
            try transaction.execute(
                "UPDATE logged_models SET status = ? WHERE id = ?", [.text(status.rawValue), .text(id)])
        }
    }

    /// Deletes a logged model; it is kept, but found no more. One that is deleted stays so.
    /// - Throws: ``ExperimentsFailure/unknownLoggedModel(_:)``.
    public func deleteLoggedModel(_ id: String) async throws {
        let now = time.now
        try await database.write { transaction in
            guard try Self.loggedModel(id, allowingDeleted: true, in: transaction).stage == .active else { return }
            try transaction.execute(
                "UPDATE logged_models SET stage = ?, updated = ? WHERE id = ?",
                [.text(LifecycleStage.deleted.rawValue), .init(now), .text(id)])
        }
    }

    /// Sets tags of a logged model, or its parameters, which never change their values.
    /// - Throws: ``ExperimentsFailure/unknownLoggedModel(_:)``, `.invalid(_:remedy:)`.
    public func log(_ batch: RunBatch, toModel id: String) async throws -> LoggedModel {
        let batch = try RecordRules.checked(batch)
        return try await change(id) { transaction in
            for pair in batch.parameters {
                let old = try transaction.first(
                    "SELECT value FROM logged_model_parameters WHERE model = ? AND key = ?",
                    [.text(id), .text(pair.key)]
                )?.string("value")
                guard old == nil || old == pair.value else {
                    throw ExperimentsFailure.invalid(
                        "Changing param values is not allowed. Param with key='\(pair.key)' was already logged for "
                            + "model ID='\(id)'", remedy: "Create a new logged model.")
                }
            }
            try Self.insert(batch.parameters, "logged_model_parameters", of: id, in: transaction)
            try Self.insert(batch.tags, "logged_model_tags", of: id, in: transaction)
        }
    }

    /// Sets a tag of a logged model to what is made of its value, with no other change in between.
    /// - Parameter change: gets the value, nil where there is no such tag.
    /// - Throws: ``ExperimentsFailure/unknownLoggedModel(_:)``, `.invalid(_:remedy:)`, or what `change` throws.
    public func changeTag(
        _ key: String, ofModel id: String, _ change: @escaping @Sendable (String?) throws -> String
    ) async throws {
        _ = try await self.change(id) { transaction in
            let old = try transaction.first(
                "SELECT value FROM logged_model_tags WHERE model = ? AND key = ?", [.text(id), .text(key)]
            )?.string("value")
            let batch = try RecordRules.checked(RunBatch(tags: [Pair(key: key, value: try change(old))]))
            try Self.insert(batch.tags, "logged_model_tags", of: id, in: transaction)
        }
    }

    /// Removes a tag of a logged model.
    /// - Throws: ``ExperimentsFailure/unknownTag(_:)``, `.unknownLoggedModel(_:)`.
    public func deleteTag(_ key: String, ofModel id: String) async throws {
        _ = try await change(id) { transaction in
            let count = try transaction.execute(
                "DELETE FROM logged_model_tags WHERE model = ? AND key = ?", [.text(id), .text(key)])
            guard count > 0 else { throw ExperimentsFailure.unknownTag(key) }
        }
    }

    /// Notes that a metric point is about a logged model.
    /// - Throws: ``ExperimentsFailure/unknownLoggedModel(_:)``.
    static func insert(
        _ entry: MetricEntry, about model: String, run: String, in transaction: Transaction
    ) throws {
        guard try transaction.first("SELECT id FROM logged_models WHERE id = ?", [.text(model)]) != nil else {
            throw ExperimentsFailure.unknownLoggedModel(model)
        }
        try transaction.execute(
            """
            INSERT INTO logged_model_metrics
              (model, key, time, step, value, is_nan, run, dataset_name, dataset_digest)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (model, key, time, step, run) DO NOTHING
            """,
            [
                .text(model), .text(entry.point.key), .init(entry.point.time), .integer(entry.point.step),
                .double(entry.point.stored), .init(entry.point.value.isNaN), .text(run),
                .text(entry.datasetName ?? ""), .text(entry.datasetDigest ?? ""),
            ])
    }

    static let selectLoggedModels = """
        SELECT m.id, m.experiment, m.name, m.location, m.status, m.model_type, m.source_run, m.created, m.updated,
          m.stage FROM logged_models AS m
        """

    static func loggedModel(_ row: Row, in transaction: Transaction) throws -> LoggedModel {
        let id = try row.string("id")
        func pairs(_ table: String) throws -> [Pair] {
            try transaction.query("SELECT key, value FROM \(table) WHERE model = ? ORDER BY key", [.text(id)]).map(pair)
        }
        let metrics = try transaction.query(
            """
            SELECT key, value, is_nan, step, time, run, dataset_name, dataset_digest FROM logged_model_metrics
            WHERE model = ? ORDER BY key, time, step, run
            """, [.text(id)]
        ).map { row in
            LoggedModelMetric(
                point: try point(row), run: try row.string("run"), datasetName: try row.string("dataset_name"),
                datasetDigest: try row.string("dataset_digest"))
        }
        return LoggedModel(
            id: id, experiment: try row.integer("experiment"), name: try row.string("name"),
            location: try row.string("location"),
            status: LoggedModelStatus(rawValue: try row.string("status")) ?? .failed,
            type: try row.string("model_type"), sourceRun: try row.string("source_run"),
            stage: LifecycleStage(rawValue: try row.string("stage")) ?? .deleted,
            created: try row.timestamp("created"), updated: try row.timestamp("updated"),
            parameters: try pairs("logged_model_parameters"), tags: try pairs("logged_model_tags"), metrics: metrics)
    }

    private func change(
        _ id: String, _ body: @escaping @Sendable (Transaction) throws -> Void
    ) async throws -> LoggedModel {
        let now = time.now
        return try await database.write { transaction in
            _ = try Self.loggedModel(id, in: transaction)
            try body(transaction)
            try transaction.execute("UPDATE logged_models SET updated = ? WHERE id = ?", [.init(now), .text(id)])
            return try Self.loggedModel(id, in: transaction)
        }
    }

    private static func loggedModel(
        _ id: String, allowingDeleted: Bool = false, in transaction: Transaction
    ) throws -> LoggedModel {
        let only = allowingDeleted ? "" : "AND m.stage = 'active'"
        let row = try transaction.first("\(selectLoggedModels) WHERE m.id = ? \(only)", [.text(id)])
        guard let row else { throw ExperimentsFailure.unknownLoggedModel(id) }
        return try loggedModel(row, in: transaction)
    }

    static func insert(
        _ pairs: [Pair], _ table: String, of model: String, in transaction: Transaction
    ) throws {
        for pair in pairs {
            try transaction.execute(
                """
                INSERT INTO \(table) (model, key, value) VALUES (?, ?, ?)
                ON CONFLICT (model, key) DO UPDATE SET value = excluded.value
                """, [.text(model), .text(pair.key), .text(pair.value)])
        }
    }
}
