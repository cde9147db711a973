import Basics
import Experiments
import SQL

/// What a run came from and what became of it: one step of the graph from a prediction back to its data.
public struct RunLineage: Sendable, Codable, Equatable {
    /// Code, data, features, environment, parameters, metrics and files.
    public var facts: RunFacts
    /// The versions that were registered from it, each as `MODEL/VERSION` with the stage that it is in.
    public var versions: [Version]

    /// A version that was registered from the run.
    public struct Version: Sendable, Codable, Equatable {
        public var id: ModelVersionID
        public var stage: Stage
        public var bundle: Digest
        public var created: Timestamp
    }
}

extension ModelRegistry {
    /// - Throws: `ExperimentsFailure.unknownRun`.
    public func lineage(ofRun run: String, in experiments: ExperimentStore) async throws -> RunLineage {
        let facts = try await experiments.facts(of: run)
        let versions = try await versions(ofRun: run).map {
            RunLineage.Version(id: $0.id, stage: $0.stage, bundle: $0.bundle, created: $0.created)
        }
        return RunLineage(facts: facts, versions: versions)
    }

    /// The versions that were registered from a run, by model and number.
    public func versions(ofRun run: String) async throws -> [ModelVersion] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT * FROM model_versions WHERE run = ? AND deleted = 0 ORDER BY model, version", [.text(run)]
            ).map(Self.load)
        }
    }

    /// Ids of the runs and logged models that versions were made from, deleted versions too.
    public func neededByVersions() async throws -> (runs: Set<String>, loggedModels: Set<String>) {
        try await database.read { transaction in
            var (runs, models): (Set<String>, Set<String>) = ([], [])
            try transaction.forEach("SELECT run, logged_model FROM model_versions", []) { row in
                if let run = try row.optionalString("run") { runs.insert(run) }
                if let model = try row.optionalString("logged_model") { models.insert(model) }
            }
            return (runs, models)
        }
    }
}
