import Basics
import SQL

/// What is known of how a run came about, sorted by what people ask for: one shape for runs that were trained here and runs
/// that clients logged. Comparisons, lineage and environments all read it.
public struct RunFacts: Sendable, Codable, Equatable {
    public var run: String
    public var name: String
    public var experiment: String
    public var status: RunStatus
    public var started: Timestamp
    /// Commit, branch, dirty diff, file.
    public var code: [String: String]
    /// Digests of datasets by their names.
    public var data: [String: String]
    /// The feature service and the digest of its definitions.
    public var features: [String: String]
    /// Versions, operating system, processor.
    public var environment: [String: String]
    public var parameters: [String: String]
    /// The latest values, as text that has all their bits; those that are not a number too.
    public var metrics: [String: String]
    /// Digests of the files by their paths.
    public var artifacts: [String: String]

    /// - Parameter experiment: the name of the run's experiment.
    public init(_ record: RunRecord, experiment: String, artifacts: [Run.Artifact]) {
        run = record.info.id
        name = record.info.name
        self.experiment = experiment
        status = record.info.status
        started = record.info.started
        func members(_ prefix: String) -> [String: String] {
            record.tags.reduce(into: [:]) { members, tag in
                guard tag.key.hasPrefix(prefix) else { return }
                members[String(tag.key.dropFirst(prefix.count))] = tag.value
            }
        }
        code = members("mlflow.source.").merging(members("code.")) { first, _ in first }
        features = members("features.")
        environment = members("environment.")
        data = record.datasets.reduce(into: [:]) { $0[$1.name] = $1.digest }
        parameters = record.parameters.reduce(into: [:]) { $0[$1.key] = $1.value }
        metrics = record.metrics.reduce(into: [:]) { $0[$1.key] = "\($1.value)" }
        self.artifacts = artifacts.reduce(into: [:]) { $0[$1.path] = $1.digest.description }
    }

    /// The facts by section, in the order in which people read them.
    public var sections: [(name: String, facts: [String: String])] {
        [
            ("parameters", parameters), ("metrics", metrics), ("code", code), ("data", data), ("features", features),
            ("environment", environment), ("artifacts", artifacts),
        ]
    }

    /// A fact in which two runs differ.
    public struct Difference: Sendable, Codable, Equatable {
        public var section: String
        public var key: String
        /// Nil where the first run has none.
        public var one: String?
        /// Nil where the second run has none.
        public var other: String?
    }

    /// Every fact in which another run differs from this one.
    public func differences(from other: RunFacts) -> [Difference] {
        zip(sections, other.sections).flatMap { mine, theirs in
            Set(mine.facts.keys).union(theirs.facts.keys).sorted().compactMap { key in
                guard mine.facts[key] != theirs.facts[key] else { return nil }
                return Difference(section: mine.name, key: key, one: mine.facts[key], other: theirs.facts[key])
            }
        }
    }
}

extension ExperimentStore {
    /// How a run came about.
    /// - Throws: ``ExperimentsFailure/unknownRun(_:)``.
    public func facts(of run: String) async throws -> RunFacts {
        try await database.read { transaction in
            let record = try Self.record(run, in: transaction)
            return RunFacts(
                record, experiment: try Self.experiment(record.info.experiment, in: transaction).name,
                artifacts: try Self.artifacts(of: record.info, in: transaction))
        }
    }

    /// The finished run of an experiment with the greatest or least value of a metric; nil where none has the metric.
    /// - Throws: ``ExperimentsFailure/unknownExperimentName(_:)``, ``ExperimentsFailure/search(_:)``.
    public func bestRun(of experiment: String, by metric: String, isLeast: Bool) async throws -> Run? {
        try RecordRules.checkKey(metric, "metric")
        let id = try await self.experiment(named: experiment).id
        let page = try await search(
            RunQuery(
                experiments: [id], filter: try SearchFilter("attributes.status = 'FINISHED'", .runs),
                order: try SearchOrder.keys(["metrics.`\(metric)` \(isLeast ? "ASC" : "DESC")"], .runs), view: .active,
                limit: 1, offset: 0))
        // What lacks the metric, or has no number there, comes last.
        guard let best = page.items.first,
            best.metrics.contains(where: { $0.key == metric && !$0.value.isNaN })
        else { return nil }
        return try await run(best.info.id)
    }
}
