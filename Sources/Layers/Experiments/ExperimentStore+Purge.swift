import Basics
import Journal
import SQL

/// Removal for good: of what was deleted, when its time to be restored is over.
extension ExperimentStore {
    /// What was deleted before some moment.
    public struct Deleted: Sendable, Equatable {
        public var experiments: [Int64] = []
        public var runs: [String] = []
        public var loggedModels: [String] = []
    }

    /// What was deleted before a moment and was not restored since. A run is deleted with its experiment too.
    public func deleted(before moment: Timestamp) async throws -> Deleted {
        try await database.read { transaction in
            var found = Deleted()
            for row in try transaction.query(
                "SELECT id, name FROM experiments WHERE stage = 'deleted' AND updated <= ? ORDER BY id", [.init(moment)]
            ) {
                let id = try row.integer("id")
                guard try Self.deletion(ofExperiment: id, named: row.string("name"), transaction) <= moment else {
                    continue
                }
                found.experiments.append(id)
            }
            for row in try transaction.query(
                "SELECT id, experiment FROM runs WHERE stage = 'deleted' ORDER BY number", [])
            {
                let id = try row.string("id")
                guard try Self.deletion(of: id, in: row.integer("experiment"), transaction) <= moment else { continue }
                found.runs.append(id)
            }
            for row in try transaction.query(
                "SELECT id FROM logged_models WHERE stage = 'deleted' AND updated <= ? ORDER BY id", [.init(moment)])
            {
                let id = try row.string("id")
                guard try Self.deletion(ofLoggedModel: id, transaction) <= moment else { continue }
                found.loggedModels.append(id)
            }
            // A run that made a model which is still there tells where that came from.
            let sources = Set(
                try transaction.query("SELECT DISTINCT source_run FROM logged_models WHERE stage = 'active'", []).map {
                    try $0.string("source_run")
                })
            found.runs.removeAll { sources.contains($0) }
            return found
        }
    }

    /// Removes a deleted run with its records and the names of its artifacts. One that was restored meanwhile stays.
    /// - Parameters:
    ///   - moment: before which it must have been deleted.
    ///   - isRehearsal: only finds out whether it would go.
    /// - Returns: whether it goes.
    /// - Throws: ``ExperimentsFailure/artifactPinned(_:holder:)`` where somebody needs its files.
    public func purge(run id: String, before moment: Timestamp, isRehearsal: Bool = false) async throws -> Bool {
        try await database.write { transaction in
            let row = try transaction.first(
                "SELECT number, experiment, location FROM runs WHERE id = ? AND stage = 'deleted'", [.text(id)])
            guard let row, try Self.deletion(of: id, in: row.integer("experiment"), transaction) <= moment else {
                return false
            }
            let root = try Self.unpinnedRoot(row.string("location"), in: transaction)
            guard !isRehearsal else { return true }
            let number = SQLValue.integer(try row.integer("number"))
            try Self.deleteFiles(below: root, in: transaction)
            for table in [
                "run_parameters", "run_tags", "run_metrics", "metric_points", "metric_blocks", "run_dataset_tags",
                "run_datasets",
                "run_models",
            ] {
                try transaction.execute("DELETE FROM \(table) WHERE run = ?", [number])
            }
            try transaction.execute("DELETE FROM runs WHERE number = ?", [number])
            return true
        }
    }

    /// Removes a deleted logged model with its records and the names of its artifacts.
    /// - Parameters:
    ///   - moment: before which it must have been deleted.
    ///   - isRehearsal: only finds out whether it would go.
    /// - Returns: whether it goes.
    /// - Throws: ``ExperimentsFailure/artifactPinned(_:holder:)`` where somebody needs its files.
    public func purge(loggedModel id: String, before moment: Timestamp, isRehearsal: Bool = false) async throws -> Bool
    {
        try await database.write { transaction in
            let row = try transaction.first(
                "SELECT location FROM logged_models WHERE id = ? AND stage = 'deleted' AND updated <= ?",
                [.text(id), .init(moment)])
            guard let row, try Self.deletion(ofLoggedModel: id, transaction) <= moment else { return false }
            let root = try Self.unpinnedRoot(row.string("location"), in: transaction)
            guard !isRehearsal else { return true }
            try Self.deleteFiles(below: root, in: transaction)
            for table in ["logged_model_parameters", "logged_model_tags", "logged_model_metrics"] {
                try transaction.execute("DELETE FROM \(table) WHERE model = ?", [.text(id)])
            }
            try transaction.execute("DELETE FROM logged_models WHERE id = ?", [.text(id)])
            return true
        }
    }

    /// Removes a deleted experiment that has nothing left in it, so that its name can be taken again. The newest one keeps
    /// its row, because ids are counted up from it.
    /// - Returns: whether it was removed.
    public func purge(experiment id: Int64) async throws -> Bool {
        try await database.write { transaction in
            let key: [SQLValue] = [.integer(id)]
            let free = try transaction.first(
                """
                SELECT id FROM experiments AS e WHERE e.id = ? AND e.stage = 'deleted' AND e.id <> 0
                  AND e.id < (SELECT max(id) FROM experiments)
                  AND NOT EXISTS (SELECT 1 FROM runs AS r WHERE r.experiment = e.id)
                  AND NOT EXISTS (SELECT 1 FROM logged_models AS m WHERE m.experiment = e.id)
                  AND NOT EXISTS (SELECT 1 FROM traces AS t WHERE t.experiment = e.id)
                """, key)
            guard free != nil else { return false }
            try transaction.execute("DELETE FROM datasets WHERE experiment = ?", key)
            try transaction.execute("DELETE FROM experiment_tags WHERE experiment = ?", key)
            try transaction.execute("DELETE FROM experiments WHERE id = ?", key)
            return true
        }
    }

    /// The folder at a location; nil where that is not in the factory's own store.
    private static func unpinnedRoot(_ location: String, in transaction: Transaction) throws -> ArtifactPath? {
        guard let root = try? ArtifactPath(location: location) else { return nil }
        try refusePinned(root, in: transaction)
        return root
    }

    private static func deleteFiles(below root: ArtifactPath?, in transaction: Transaction) throws {
        guard let root else { return }
        try transaction.execute("DELETE FROM artifacts WHERE path > ? AND path < ?", range(below: root))
    }

    /// When a deleted run was deleted, as the journal has it: by itself, with its experiment, or before it was imported.
    private static func deletion(
        of run: String, in experiment: Int64, _ transaction: Transaction
    ) throws -> Timestamp {
        max(
            try last(["run.deleted", "run.imported"], "run/\(run)", transaction),
            try last(["experiment.deleted"], "experiment/\(experiment)", transaction))
    }

    /// No earlier than when a deleted logged model was brought in: its own time of deletion is that of another place.
    private static func deletion(ofLoggedModel id: String, _ transaction: Transaction) throws -> Timestamp {
        try last(["logged_model.imported", "logged_model.deleted"], "logged_model/\(id)", transaction)
    }

    /// No earlier than when a deleted experiment was made here.
    private static func deletion(
        ofExperiment id: Int64, named name: String, _ transaction: Transaction
    ) throws -> Timestamp {
        max(
            try last(["experiment.created"], "experiment/\(name)", transaction),
            try last(["experiment.deleted"], "experiment/\(id)", transaction))
    }

    /// The time of the last entry of some types about something; the earliest time there is where none is there.
    private static func last(_ types: [String], _ subject: String, _ transaction: Transaction) throws -> Timestamp {
        let row = try transaction.first(
            "SELECT max(time) AS last FROM journal WHERE subject = ? AND type IN (\(SearchStatement.marks(types.count)))",
            [.text(subject)] + types.map { .text($0) })
        return try row?.optionalTimestamp("last") ?? Timestamp(microseconds: .min)
    }
}
