import Basics
import Journal
import SQL

/// Import: what comes from elsewhere keeps its ids, times and stages. Each call may be made again, and changes nothing where
/// all is there; so an import that was broken off starts anew and finds its place.
extension ExperimentStore {
    /// Makes an experiment that comes from elsewhere, or finds the one that was made before.
    ///
    /// One of the same name that was created at another moment is another one, unless it is the default experiment.
    /// - Parameters:
    ///   - isMerging: whether such another one takes in the runs; it stays as it is.
    ///   - isRehearsal: only finds out whether it would work.
    /// - Throws: ``ExperimentsFailure/takenByAnother(_:remedy:)``.
    public func adopt(
        _ archived: ArchivedExperiment, isMerging: Bool, isRehearsal: Bool = false, by principal: String
    ) async throws -> Experiment {
        let now = time.now
        return try await database.write { transaction in
            let found = try Self.experiment(named: archived.name, in: transaction)
            if let found, found.created != archived.created {
                // The default experiment is there from the beginning, and until it is used it is nobody's.
                let isUntouched =
                    try found.id == 0 && found.created == found.updated && found.tags.isEmpty
                    && transaction.first("SELECT id FROM runs WHERE experiment = 0 LIMIT 1") == nil
                if !isUntouched {
                    guard isMerging || found.id == 0 else {
                        throw ExperimentsFailure.takenByAnother(
                            "an experiment '\(archived.name)'",
                            remedy: "Rename one of the two, or import with --merge to add the runs to it.")
                    }
                    return found
                }
            }
            if isRehearsal {
                return found
                    ?? Experiment(
                        id: -1, name: archived.name, location: "", stage: archived.stage, created: archived.created,
                        updated: archived.updated, tags: [])
            }
            let experiment =
                try found
                ?? Self.insertExperiment(
                    named: archived.name, location: archived.location, tags: [], by: principal, at: now,
                    in: transaction)
            if found?.stage == .active, archived.stage == .deleted {
                try Self.journalDeletion(of: "experiment", "\(experiment.id)", by: principal, at: now, in: transaction)
            }
            try transaction.execute(
                "UPDATE experiments SET stage = ?, created = ?, updated = ? WHERE id = ?",
                [
                    .text(archived.stage.rawValue), .init(archived.created), .init(archived.updated),
                    .integer(experiment.id),
                ])
            for tag in Self.pairs(archived.tags) { try Self.insert(tag, on: experiment.id, in: transaction) }
            return try Self.experiment(experiment.id, in: transaction)
        }
    }

    /// Brings in runs that come from elsewhere, all or none, and journals those that are new.
    /// - Throws: ``ExperimentsFailure/takenByAnother(_:remedy:)`` for an id that another run has,
    ///   `.changedParameters(_:run:)`, `.unknownExperiment(_:)`, `.invalid(_:remedy:)`.
    public func adopt(_ runs: [ArchivedRun], by principal: String) async throws {
        let now = time.now
        let drafts = try runs.map { run in
            (
                run,
                try RecordRules.checked(
                    RunBatch(
                        metrics: run.metrics.flatMap(\.points).map { MetricEntry($0) },
                        parameters: Self.pairs(run.parameters), tags: Self.pairs(run.tags)))
            )
        }
        try await database.write { transaction in
            for (run, batch) in drafts {
                let place = try Self.adopt(run, by: principal, at: now, in: transaction)
                if place.stage == .active, run.stage == .deleted {
                    try Self.journalDeletion(of: "run", run.id, by: principal, at: now, in: transaction)
                }
                try Self.insert(batch, to: place, in: transaction, named: run.id)
                for dataset in run.datasets { try Self.insert(dataset, to: place, in: transaction) }
                for link in run.modelInputs { try Self.insert(link, "input", to: place, in: transaction) }
                for link in run.modelOutputs { try Self.insert(link, "output", to: place, in: transaction) }
                // After the tags, because one of them has the name too.
                try transaction.execute(
                    "UPDATE runs SET name = ?, user_name = ?, status = ?, stage = ?, ended = ? WHERE number = ?",
                    [
                        .text(run.name), .text(run.user), .text(run.status.rawValue), .text(run.stage.rawValue),
                        .init(run.ended), .integer(place.number),
                    ])
            }
        }
    }

    /// The run as a document; nil where there is none of the id.
    public func archived(run id: String) async throws -> ArchivedRun? {
        let record: RunRecord
        do { record = try await self.record(id) } catch ExperimentsFailure.unknownRun { return nil }
        var metrics: [MetricSeries] = []
        for key in Set(record.metrics.map(\.key)) {
            metrics.append(MetricSeries(key, try await history(of: key, run: id)))
        }
        func members(_ pairs: [Pair]) -> [String: String] { pairs.reduce(into: [:]) { $0[$1.key] = $1.value } }
        return ArchivedRun(
            record.info, parameters: members(record.parameters), tags: members(record.tags), metrics: metrics,
            datasets: record.datasets, modelInputs: record.modelInputs, modelOutputs: record.modelOutputs)
    }

    /// Brings in logged models that come from elsewhere, all or none, and journals those that are new.
    /// - Throws: ``ExperimentsFailure/takenByAnother(_:remedy:)``, `.unknownExperiment(_:)`, `.invalid(_:remedy:)`.
    public func adopt(_ models: [ArchivedLoggedModel], by principal: String) async throws {
        let now = time.now
        let drafts = try models.map { model in
            let records = RunBatch(
                metrics: model.metrics.map(\.entry), parameters: Self.pairs(model.parameters),
                tags: Self.pairs(model.tags))
            return (model, try RecordRules.checked(records))
        }
        try await database.write { transaction in
            for (model, batch) in drafts {
                _ = try Self.experiment(model.experiment, in: transaction)
                let found = try transaction.first(
                    "SELECT experiment, created, stage FROM logged_models WHERE id = ?", [.text(model.id)])
                if let found {
                    guard try found.integer("experiment") == model.experiment,
                        try found.timestamp("created") == model.created
                    else { throw Self.taken("a logged model with the id \(model.id)") }
                    if model.stage == .deleted, try found.string("stage") == LifecycleStage.active.rawValue {
                        try Self.journalDeletion(
                            of: "logged_model", model.id, by: principal, at: now, in: transaction)
                    }
                } else {
                    try Journal.append(
                        JournalDraft(
                            principal: principal, type: "logged_model.imported", subject: "logged_model/\(model.id)",
                            body: ["experiment": .integer(model.experiment), "name": .string(model.name)]),
                        in: transaction, at: now)
                }
                try transaction.execute(
                    """
                    INSERT INTO logged_models
                      (id, experiment, name, location, status, model_type, source_run, created, updated, stage)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (id) DO UPDATE SET
                      status = excluded.status, updated = excluded.updated, stage = excluded.stage
                    """,
                    [
                        .text(model.id), .integer(model.experiment), .text(model.name), .text(model.location),
                        .text(model.status.rawValue), .text(model.type), .text(model.sourceRun), .init(model.created),
                        .init(model.updated), .text(model.stage.rawValue),
                    ])
                try Self.insert(batch.parameters, "logged_model_parameters", of: model.id, in: transaction)
                try Self.insert(batch.tags, "logged_model_tags", of: model.id, in: transaction)
                for (entry, measurement) in zip(batch.metrics, model.metrics) {
                    try Self.insert(entry, about: model.id, run: measurement.run, in: transaction)
                }
            }
        }
    }

    /// The logged model as a document, deleted or not; nil where there is none of the id.
    public func archived(loggedModel id: String) async throws -> ArchivedLoggedModel? {
        try await database.read { transaction in
            guard let row = try transaction.first("\(Self.selectLoggedModels) WHERE m.id = ?", [.text(id)]) else {
                return nil
            }
            return ArchivedLoggedModel(try Self.loggedModel(row, in: transaction))
        }
    }

    /// The files below a location of the factory's own store, by their paths below it; none for other locations.
    public func files(below location: String) async throws -> [String: Digest] {
        guard let root = try ArtifactPath(location: location) else { return [:] }
        return try await database.read { transaction in
            try Self.files(below: root, in: transaction).reduce(into: [:]) { $0[$1.path] = $1.digest }
        }
    }

    private static func adopt(
        _ run: ArchivedRun, by principal: String, at now: Timestamp, in transaction: Transaction
    ) throws -> RunPlace {
        let found = try transaction.first(
            "SELECT number, experiment, started FROM runs WHERE id = ?", [.text(run.id)])
        if let found {
            guard try found.integer("experiment") == run.experiment, try found.timestamp("started") == run.started
            else { throw taken("a run with the id \(run.id)") }
            return try place(of: run.id, in: transaction)
        }
        _ = try experiment(run.experiment, in: transaction)
        // The journal comes first: who holds its end is alone in counting up.
        try Journal.append(
            JournalDraft(
                principal: principal, type: "run.imported", subject: "run/\(run.id)",
                body: ["experiment": .integer(run.experiment), "name": .string(run.name)]),
            in: transaction, at: now)
        let last = try transaction.first("SELECT max(number) AS last FROM runs")?.optionalInteger("last")
        let number = (last ?? 0) + 1
        try transaction.execute(
            """
            INSERT INTO runs (number, id, experiment, name, user_name, status, stage, location, started, ended)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .integer(number), .text(run.id), .integer(run.experiment), .text(run.name), .text(run.user),
                .text(run.status.rawValue), .text(run.stage.rawValue), .text(run.location), .init(run.started),
                .init(run.ended),
            ])
        return RunPlace(number: number, experiment: run.experiment, status: run.status, stage: run.stage)
    }

    /// Dates the deletion of what was here and comes again as deleted: here it is so from now on.
    private static func journalDeletion(
        of kind: String, _ id: String, by principal: String, at now: Timestamp, in transaction: Transaction
    ) throws {
        try Journal.append(
            JournalDraft(
                principal: principal, type: "\(kind).deleted", subject: "\(kind)/\(id)", body: ["imported": true]),
            in: transaction, at: now)
    }

    private static func taken(_ what: String) -> ExperimentsFailure {
        .takenByAnother(what, remedy: "Delete one of the two, or import into another factory.")
    }
}
