import Basics
import Journal
import SQL

/// A run that is about to be made.
struct RunDraft: Sendable {
    var id: String
    var experiment: Int64
    var name: String
    var user: String
    var started: Timestamp
    /// The process of the factory that works on it; nil where a client does.
    var process: String?
}

/// Where a run stands in the tables.
struct RunPlace {
    var number: Int64
    var experiment: Int64
    var status: RunStatus
    var stage: LifecycleStage
    /// Whether this change made it, with the name that its tags give.
    var isNew = false
}

extension ExperimentStore {
    /// Makes a run that a client works on, and journals it.
    /// - Parameter name: nil for one of the tags, or else for one that is made up.
    /// - Throws: ``ExperimentsFailure/experimentDeleted(_:)``, `.unknownExperiment(_:)`, `.invalid(_:remedy:)`.
    public func createRun(
        in experiment: Int64, name: String?, user: String, started: Timestamp, tags: [Pair], by principal: String
    ) async throws -> RunRecord {
        let tagged = tags.last { $0.key == Self.nameTag }?.value
        if let name, let tagged, !name.isEmpty, name != tagged {
            throw ExperimentsFailure.invalid(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
                    + "(run_name='\(name)', mlflow.runName='\(tagged)').", remedy: nil)
        }
        let given = [name, tagged].compactMap { $0 }.first { !$0.isEmpty }
        let chosen = RecordRules.cut(given ?? RunNames.name(from: random), RecordRules.tagLength)
        let batch = try RecordRules.checked(
            RunBatch(tags: tags.filter { $0.key != Self.nameTag } + [Pair(key: Self.nameTag, value: chosen)]))
        let now = time.now
        let draft = RunDraft(
            id: random.identifier(at: now), experiment: experiment, name: chosen, user: user, started: started,
            process: nil)
        return try await database.write { transaction in
            let (place, info) = try Self.insert(draft, by: principal, at: now, in: transaction)
            try Self.insert(batch, to: place, in: transaction)
            // All that it has so far.
            let tags = Dictionary(batch.tags.map { ($0.key, $0.value) }) { _, last in last }
            return RunRecord(info: info, tags: Self.pairs(tags))
        }
    }

    /// A run, deleted or not, with what was logged to it.
    /// - Throws: ``ExperimentsFailure/unknownRun(_:)``.
    public func record(_ id: String) async throws -> RunRecord {
        try await database.read { try Self.record(id, in: $0) }
    }

    /// Changes what is given of a run; an end is journaled.
    /// - Throws: ``ExperimentsFailure/runDeleted(_:)``, ``ExperimentsFailure/unknownRun(_:)``.
    public func updateRun(
        _ id: String, status: RunStatus?, ended: Timestamp?, name: String?, by principal: String
    ) async throws -> RunInfo {
        let now = time.now
        return try await database.write { transaction in
            let place = try Self.requireActive(id, in: transaction)
            if let status, status.hasEnded, !place.status.hasEnded {
                try Self.journalEnd(of: id, as: status, reason: nil, by: principal, at: now, in: transaction)
            }
            if status != nil || ended != nil {
                try transaction.execute(
                    "UPDATE runs SET status = ?, ended = coalesce(?, ended) WHERE number = ?",
                    [.text((status ?? place.status).rawValue), .init(ended), .integer(place.number)])
            }
            if let name, !name.isEmpty {
                let tag = Pair(key: Self.nameTag, value: RecordRules.cut(name, RecordRules.tagLength))
                try Self.insert(RunBatch(tags: [tag]), to: place, in: transaction)
            }
            let row = try transaction.first("\(Self.selectRuns) WHERE r.number = ?", [.integer(place.number)])
            guard let row else { throw ExperimentsFailure.unknownRun(id) }
            return try Self.info(row)
        }
    }

    /// Deletes or restores a run; it is kept. One that is in the stage already stays as it is.
    /// - Throws: ``ExperimentsFailure/unknownRun(_:)``.
    public func moveRun(_ id: String, to stage: LifecycleStage, by principal: String) async throws {
        let now = time.now
        try await database.write { transaction in
            let place = try Self.place(of: id, in: transaction)
            guard place.stage != stage else { return }
            try Journal.append(
                JournalDraft(
                    principal: principal, type: stage == .deleted ? "run.deleted" : "run.restored",
                    subject: "run/\(id)", body: [:]), in: transaction, at: now)
            try transaction.execute(
                "UPDATE runs SET stage = ? WHERE number = ?", [.text(stage.rawValue), .integer(place.number)])
        }
    }

    /// Inserts a run without records. Those that follow must have its name as a tag.
    static func insert(
        _ draft: RunDraft, by principal: String, at now: Timestamp, in transaction: Transaction
    ) throws -> (place: RunPlace, info: RunInfo) {
        let location = try requireActive(draft.experiment, in: transaction)
        // The journal comes first: who holds its end is alone in counting up.
        try Journal.append(
            JournalDraft(
                principal: principal, type: "run.started", subject: "run/\(draft.id)",
                body: ["experiment": .integer(draft.experiment), "name": .string(draft.name)]),
            in: transaction, at: now)
        let last = try transaction.first("SELECT max(number) AS last FROM runs")?.optionalInteger("last")
        let place = RunPlace(
            number: (last ?? 0) + 1, experiment: draft.experiment, status: .running, stage: .active, isNew: true)
        let info = RunInfo(
            id: draft.id, experiment: draft.experiment, name: draft.name, user: draft.user, status: place.status,
            stage: place.stage, location: PathBytes.append("\(draft.id)/artifacts", to: location),
            started: draft.started, ended: nil)
        try transaction.executeLater(
            """
            INSERT INTO runs (number, id, experiment, name, user_name, status, stage, location, started, process)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .integer(place.number), .text(info.id), .integer(info.experiment), .text(info.name), .text(info.user),
                .text(info.status.rawValue), .text(info.stage.rawValue), .text(info.location), .init(info.started),
                .init(draft.process),
            ])
        return (place, info)
    }

    /// Ends a run now, and journals it.
    static func end(
        _ number: Int64, _ id: String, as status: RunStatus, reason: String?, by principal: String, at now: Timestamp,
        in transaction: Transaction
    ) throws {
        try journalEnd(of: id, as: status, reason: reason, by: principal, at: now, in: transaction)
        try transaction.execute(
            "UPDATE runs SET status = ?, ended = ? WHERE number = ?",
            [.text(status.rawValue), .init(now), .integer(number)])
    }

    private static func journalEnd(
        of id: String, as status: RunStatus, reason: String?, by principal: String, at now: Timestamp,
        in transaction: Transaction
    ) throws {
        var body: [String: JSONValue] = ["status": .string(status.rawValue)]
        if let reason { body["reason"] = .string(reason) }
        try Journal.append(
            JournalDraft(principal: principal, type: "run.ended", subject: "run/\(id)", body: .object(body)),
            in: transaction, at: now)
    }

    /// - Throws: ``ExperimentsFailure/unknownRun(_:)``.
    static func place(of id: String, in transaction: Transaction) throws -> RunPlace {
        let row = try transaction.first(
            "SELECT number, experiment, status, stage FROM runs WHERE id = ?", [.text(id)])
        guard let row else { throw ExperimentsFailure.unknownRun(id) }
        return RunPlace(
            number: try row.integer("number"), experiment: try row.integer("experiment"),
            status: RunStatus(rawValue: try row.string("status")) ?? .failed,
            stage: LifecycleStage(rawValue: try row.string("stage")) ?? .deleted)
    }

    /// - Throws: ``ExperimentsFailure/runDeleted(_:)``, ``ExperimentsFailure/unknownRun(_:)``.
    static func requireActive(_ id: String, in transaction: Transaction) throws -> RunPlace {
        let place = try place(of: id, in: transaction)
        guard place.stage == .active else { throw ExperimentsFailure.runDeleted(id) }
        return place
    }
}
