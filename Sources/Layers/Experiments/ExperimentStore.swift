import Basics
import Journal
import ObjectStorage
import SQL

/// Experiments, runs, parameters, metrics by step, tags and artifacts.
///
/// Guarantees: a record is durable when the call returns; a run that has ended takes no more records; the bytes of an
/// artifact are in the object store before its row names them.
public final class ExperimentStore: Sendable {
    private let database: Database
    private let objects: any ObjectStore
    private let time: any TimeSource
    private let random: any RandomSource
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

    public static let migrations = [
        Migration(
            room: "experiments", version: 1,
            sql: """
                CREATE TABLE runs (
                  id TEXT PRIMARY KEY, experiment TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
                  started INTEGER NOT NULL, ended INTEGER);
                CREATE INDEX runs_by_experiment ON runs (experiment, started);
                CREATE TABLE run_parameters (
                  run TEXT NOT NULL REFERENCES runs (id), key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key));
                CREATE TABLE run_tags (
                  run TEXT NOT NULL REFERENCES runs (id), key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key));
                CREATE TABLE run_metrics (
                  run TEXT NOT NULL REFERENCES runs (id), key TEXT NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL,
                  time INTEGER NOT NULL, PRIMARY KEY (run, key, step, time));
                CREATE TABLE run_artifacts (
                  run TEXT NOT NULL REFERENCES runs (id), path TEXT NOT NULL, digest TEXT NOT NULL, bytes INTEGER NOT NULL,
                  PRIMARY KEY (run, path));
                """),
        Migration(room: "experiments", version: 2, sql: "ALTER TABLE runs ADD COLUMN process TEXT"),
    ]

    /// Starts a run and journals it.
    public func start(
        experiment: String, name: String, parameters: [String: String], tags: [String: String], by principal: String
    ) async throws -> String {
        let id = random.identifier()
        let now = time.now
        try await database.write { transaction in
            try transaction.execute(
                "INSERT INTO runs (id, experiment, name, status, started, process) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    .text(id), .text(experiment), .text(name), .text(RunStatus.running.rawValue), .init(now),
                    .text(self.process),
                ])
            try Self.insert(pairs: parameters, into: "run_parameters", run: id, in: transaction)
            try Self.insert(pairs: tags, into: "run_tags", run: id, in: transaction)
            try Journal.append(
                JournalDraft(
                    principal: principal, type: "run.started", subject: "run/\(id)",
                    body: ["experiment": .string(experiment), "name": .string(name)]),
                in: transaction, at: now)
        }
        return id
    }

    /// Adds metric points and tags to a running run.
    ///
    /// - Throws: ``ExperimentsFailure/unknownRun(_:)``, ``ExperimentsFailure/runEnded(_:_:)``.
    public func log(_ points: [MetricPoint], tags: [String: String] = [:], to run: String) async throws {
        try await database.write { transaction in
            try Self.requireRunning(run, in: transaction)
            for point in points {
                try transaction.execute(
                    """
                    INSERT INTO run_metrics (run, key, step, value, time) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (run, key, step, time) DO UPDATE SET value = excluded.value
                    """,
                    [.text(run), .text(point.key), .integer(point.step), .double(point.value), .init(point.time)])
            }
            try Self.insert(pairs: tags, into: "run_tags", run: run, in: transaction)
        }
    }

    /// Stores `bytes` by content and names them `path` in the run.
    @discardableResult
    public func attach(_ bytes: [UInt8], as path: String, to run: String) async throws -> Digest {
        let digest = try await objects.put(bytes)
        try await database.write { transaction in
            try Self.requireRunning(run, in: transaction)
            try transaction.execute(
                """
                INSERT INTO run_artifacts (run, path, digest, bytes) VALUES (?, ?, ?, ?)
                ON CONFLICT (run, path) DO UPDATE SET digest = excluded.digest, bytes = excluded.bytes
                """,
                [.text(run), .text(path), .text(digest.description), .integer(Int64(bytes.count))])
        }
        return digest
    }

    /// Ends a run and journals how.
    public func finish(_ run: String, as status: RunStatus, by principal: String) async throws {
        let now = time.now
        try await database.write { transaction in
            try Self.requireRunning(run, in: transaction)
            try transaction.execute(
                "UPDATE runs SET status = ?, ended = ? WHERE id = ?", [.text(status.rawValue), .init(now), .text(run)])
            try Journal.append(
                JournalDraft(
                    principal: principal, type: "run.ended", subject: "run/\(run)",
                    body: ["status": .string(status.rawValue)]),
                in: transaction, at: now)
        }
    }

    /// The processes that runs which have not ended were started by.
    public func workingProcesses() async throws -> Set<String> {
        try await database.read { transaction in
            Set(
                try transaction.query(
                    "SELECT DISTINCT process FROM runs WHERE status = ?", [.text(RunStatus.running.rawValue)]
                ).map { try $0.optionalString("process") ?? "" })
        }
    }

    /// Ends as failed what a process was working on that is gone, and journals it.
    /// - Returns: the runs that it was working on.
    @discardableResult
    public func failAbandoned(by process: String) async throws -> [String] {
        let now = time.now
        return try await database.write { transaction in
            let runs = try transaction.query(
                "SELECT id FROM runs WHERE status = ? AND coalesce(process, '') = ? ORDER BY started, id",
                [.text(RunStatus.running.rawValue), .text(process)]
            ).map { try $0.string("id") }
            for run in runs {
                try transaction.execute(
                    "UPDATE runs SET status = ?, ended = ? WHERE id = ?",
                    [.text(RunStatus.failed.rawValue), .init(now), .text(run)])
                try Journal.append(
                    JournalDraft(
                        principal: "system:control", type: "run.ended", subject: "run/\(run)",
                        body: [
                            "status": .string(RunStatus.failed.rawValue),
                            "reason": "the process that worked on it is gone",
                        ]),
                    in: transaction, at: now)
            }
            return runs
        }
    }

    public func run(_ id: String) async throws -> Run {
        try await database.read { transaction in
            guard let row = try transaction.first("SELECT * FROM runs WHERE id = ?", [.text(id)]) else {
                throw ExperimentsFailure.unknownRun(id)
            }
            return try Self.load(row, in: transaction)
        }
    }

    /// Runs, newest first.
    public func runs(experiment: String? = nil, limit: Int = 100) async throws -> [Run] {
        try await database.read { transaction in
            let filter = experiment == nil ? "" : "WHERE experiment = ?"
            var values: [SQLValue] = experiment.map { [.text($0)] } ?? []
            values.append(.integer(Int64(min(max(limit, 1), 10_000))))
            return try transaction.query(
                "SELECT * FROM runs \(filter) ORDER BY started DESC, id LIMIT ?", values
            ).map { try Self.load($0, in: transaction) }
        }
    }

    /// All points of one metric in step order.
    public func history(of key: String, run: String) async throws -> [MetricPoint] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT * FROM run_metrics WHERE run = ? AND key = ? ORDER BY step, time", [.text(run), .text(key)]
            ).map {
                MetricPoint(
                    key: key, value: try $0.double("value"), step: try $0.integer("step"),
                    time: try $0.timestamp("time"))
            }
        }
    }

    private static func load(_ row: Row, in transaction: Transaction) throws -> Run {
        let id = try row.string("id")
        func pairs(_ table: String) throws -> [String: String] {
            var pairs: [String: String] = [:]
            for row in try transaction.query("SELECT key, value FROM \(table) WHERE run = ?", [.text(id)]) {
                pairs[try row.string("key")] = try row.string("value")
            }
            return pairs
        }
        var metrics: [String: Double] = [:]
        for row in try transaction.query(
            """
            SELECT key, value FROM run_metrics AS m WHERE run = ?
              AND step = (SELECT max(step) FROM run_metrics WHERE run = m.run AND key = m.key)
            """, [.text(id)])
        {
            metrics[try row.string("key")] = try row.double("value")
        }
        let artifacts = try transaction.query(
            "SELECT path, digest, bytes FROM run_artifacts WHERE run = ? ORDER BY path", [.text(id)]
        ).compactMap { row in
            Digest(try row.string("digest")).map {
                Run.Artifact(path: (try? row.string("path")) ?? "", digest: $0, bytes: (try? row.integer("bytes")) ?? 0)
            }
        }
        return Run(
            id: id, experiment: try row.string("experiment"), name: try row.string("name"),
            status: RunStatus(rawValue: try row.string("status")) ?? .failed, started: try row.timestamp("started"),
            ended: try row.optionalTimestamp("ended"), parameters: try pairs("run_parameters"),
            tags: try pairs("run_tags"), metrics: metrics, artifacts: artifacts)
    }

    private static func insert(
        pairs: [String: String], into table: String, run: String, in transaction: Transaction
    ) throws {
        for (key, value) in pairs {
            try transaction.execute(
                """
                INSERT INTO \(table) (run, key, value) VALUES (?, ?, ?)
                ON CONFLICT (run, key) DO UPDATE SET value = excluded.value
                """,
                [.text(run), .text(key), .text(value)])
        }
    }

    private static func requireRunning(_ run: String, in transaction: Transaction) throws {
        guard let row = try transaction.first("SELECT status FROM runs WHERE id = ?", [.text(run)]) else {
            throw ExperimentsFailure.unknownRun(run)
        }
        let status = RunStatus(rawValue: try row.string("status")) ?? .failed
        guard status == .running else { throw ExperimentsFailure.runEnded(run, status) }
    }
}
