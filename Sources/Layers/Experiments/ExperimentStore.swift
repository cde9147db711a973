import Basics
import Journal
import ObjectStorage
import SQL

/// Experiments, runs, parameters, metrics by step, tags, datasets and artifacts.
///
/// What the factory's own trainings log and what clients of other protocols log are the same rows.
/// Guarantees: a record is durable when the call returns; a parameter never changes its value; the latest value of a
/// metric is the one with the greatest step, then time, then value; the bytes of an artifact are in the object store
/// before its row names them; what is deleted is kept and can be restored; the starts and ends of runs, and every change
/// of an experiment, are journaled in the same transaction.
public final class ExperimentStore: Sendable {
    let database: Database
    let objects: any ObjectStore
    let time: any TimeSource
    let random: any RandomSource
    private let process: String

    /// - Parameter process: names the process that works on the runs started here.
    public init(
        database: Database, objects: any ObjectStore, time: any TimeSource, random: any RandomSource, process: String
    ) {
        self.database = database
        self.objects = objects
        self.time = time
        self.random = random
        self.process = process
    }

    /// Starts a run that this process works on, in an experiment that is made where there is none of the name.
    /// - Returns: the id of the run.
    /// - Throws: ``ExperimentsFailure/experimentDeleted(_:)``, or `.invalid(_:remedy:)` for a key that may not be.
    public func start(
        experiment: String, name: String, parameters: [String: String], tags: [String: String], by principal: String
    ) async throws -> String {
        let now = time.now
        let id = random.identifier(at: now)
        let process = process
        let batch = try RecordRules.checked(
            RunBatch(
                parameters: Self.pairs(parameters), tags: Self.pairs(tags) + [Pair(key: Self.nameTag, value: name)]))
        try await database.write { transaction in
            let group =
                try Self.experiment(named: experiment, in: transaction)
                ?? Self.insertExperiment(
                    named: experiment, location: nil, tags: [], by: principal, at: now, in: transaction)
            let draft = RunDraft(
                id: id, experiment: group.id, name: RecordRules.cut(name, RecordRules.tagLength), user: principal,
                started: now, process: process)
            let (place, _) = try Self.insert(draft, by: principal, at: now, in: transaction)
            try Self.insert(batch, to: place, in: transaction)
        }
        return id
    }

    /// Ends a run that has not ended, and journals how.
    /// - Throws: ``ExperimentsFailure/unknownRun(_:)``, ``ExperimentsFailure/runEnded(_:_:)``.
    public func finish(_ run: String, as status: RunStatus, by principal: String) async throws {
        let now = time.now
        try await database.write { transaction in
            let place = try Self.place(of: run, in: transaction)
            guard !place.status.hasEnded else { throw ExperimentsFailure.runEnded(run, place.status) }
            try Self.end(place.number, run, as: status, reason: nil, by: principal, at: now, in: transaction)
        }
    }

    /// Adds metric points and tags to a run.
    /// - Throws: ``ExperimentsFailure/unknownRun(_:)``, ``ExperimentsFailure/runDeleted(_:)``, or `.invalid(_:remedy:)`.
    public func log(_ points: [MetricPoint], tags: [String: String] = [:], to run: String) async throws {
        try await log(RunBatch(metrics: points.map { MetricEntry($0) }, tags: Self.pairs(tags)), to: run)
    }

    /// The processes that runs which have not ended were started by; runs of clients have none.
    public func workingProcesses() async throws -> Set<String> {
        try await database.read { transaction in
            Set(
                try transaction.query(
                    "SELECT DISTINCT process FROM runs WHERE status = ? AND process IS NOT NULL",
                    [.text(RunStatus.running.rawValue)]
                ).map { try $0.string("process") })
        }
    }

    /// Ends as failed what a process was working on that is gone, and journals it.
    /// - Returns: the runs that it was working on.
    @discardableResult
    public func failAbandoned(by process: String) async throws -> [String] {
        let now = time.now
        return try await database.write { transaction in
            try transaction.query(
                "SELECT number, id FROM runs WHERE status = ? AND process = ? ORDER BY started, id",
                [.text(RunStatus.running.rawValue), .text(process)]
            ).map { row in
                let id = try row.string("id")
                try Self.end(
                    row.integer("number"), id, as: .failed, reason: "the process that worked on it is gone",
                    by: "system:control", at: now, in: transaction)
                return id
            }
        }
    }

    /// A run with everything that was logged to it.
    /// - Throws: ``ExperimentsFailure/unknownRun(_:)``.
    public func run(_ id: String) async throws -> Run {
        let found = try await database.read { transaction in
            try Self.summaries(
                of: transaction.query("\(Self.selectRuns) WHERE r.id = ?", [.text(id)]), in: transaction)
        }
        guard let run = found.first else { throw ExperimentsFailure.unknownRun(id) }
        return run
    }

    /// Runs that are not deleted, newest first.
    /// - Parameter experiment: the name of the one they are of; nil for all.
    public func runs(experiment: String? = nil, limit: Int = 100) async throws -> [Run] {
        try await database.read { transaction in
            var values: [SQLValue] = [.text(LifecycleStage.active.rawValue)]
            if let experiment { values.append(.text(experiment)) }
            values.append(.integer(Int64(min(max(limit, 1), 10_000))))
            return try Self.summaries(
                of: transaction.query(
                    """
                    \(Self.selectRuns) WHERE r.stage = ?
                    \(experiment == nil ? "" : "AND r.experiment IN (SELECT id FROM experiments WHERE name = ?)")
                    ORDER BY r.started DESC, r.id LIMIT ?
                    """, values), in: transaction)
        }
    }

    /// The tag that has the name of a run.
    public static let nameTag = "mlflow.runName"

    static func pairs(_ members: [String: String]) -> [Pair] {
        members.map { Pair(key: $0.key, value: $0.value) }.sorted { $0.key < $1.key }
    }

    private static func summaries(of rows: [Row], in transaction: Transaction) throws -> [Run] {
        var names: [Int64: String] = [:]
        return try records(of: rows, in: transaction).map { record in
            let info = record.info
            if names[info.experiment] == nil {
                names[info.experiment] = try experiment(info.experiment, in: transaction).name
            }
            var run = Run(
                id: info.id, experiment: names[info.experiment] ?? "", name: info.name, status: info.status,
                started: info.started, ended: info.ended, parameters: [:], tags: [:], metrics: [:],
                artifacts: try artifacts(of: info, in: transaction))
            for pair in record.parameters { run.parameters[pair.key] = pair.value }
            for pair in record.tags where pair.key != nameTag { run.tags[pair.key] = pair.value }
            for point in record.metrics where point.value.isFinite { run.metrics[point.key] = point.value }
            return run
        }
    }
}
