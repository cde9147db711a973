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
                "SELECT id, updated FROM experiments WHERE stage = 'deleted' AND updated <= ? ORDER BY id",
                [.init(moment)])
            {
                found.experiments.append(try row.integer("id"))
            }
            for row in try transaction.query(
                "SELECT id, experiment FROM runs WHERE stage = 'deleted' ORDER BY number", [])
            {
                let id = try row.string("id")
                guard try Self.deletion(of: id, in: row.integer("experiment"), transaction) <= moment else { continue }
                found.runs.append(id)
            }
            found.loggedModels = try transaction.query(
                "SELECT id FROM logged_models WHERE stage = 'deleted' AND updated <= ? ORDER BY id", [.init(moment)]
            ).map { try $0.string("id") }
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
    /// - Parameter moment: before which it must have been deleted.
    public func purge(run id: String, before moment: Timestamp) async throws {
        try await database.write { transaction in
            let row = try transaction.first(
                "SELECT number, experiment, location FROM runs WHERE id = ? AND stage = 'deleted'", [.text(id)])
            guard let row, try Self.deletion(of: id, in: row.integer("experiment"), transaction) <= moment else {
                return
            }
            let number = SQLValue.integer(try row.integer("number"))
            try Self.deleteFiles(below: try row.string("location"), in: transaction)
            for table in [
                "run_parameters", "run_tags", "run_metrics", "metric_points", "metric_blocks", "run_dataset_tags",
                "run_datasets",
                "run_models",
            ] {
                try transaction.execute("DELETE FROM \(table) WHERE run = ?", [number])
            }
            try transaction.execute("DELETE FROM runs WHERE number = ?", [number])
        }
    }

    /// Removes a deleted logged model with its records and the names of its artifacts.
    /// - Parameter moment: before which it must have been deleted.
    public func purge(loggedModel id: String, before moment: Timestamp) async throws {
        try await database.write { transaction in
            let row = try transaction.first(
                "SELECT location FROM logged_models WHERE id = ? AND stage = 'deleted' AND updated <= ?",
                [.text(id), .init(moment)])
            guard let row else { return }
            try Self.deleteFiles(below: try row.string("location"), in: transaction)
            for table in ["logged_model_parameters", "logged_model_tags", "logged_model_metrics"] {
                try transaction.execute("DELETE FROM \(table) WHERE model = ?", [.text(id)])
            }
            try transaction.execute("DELETE FROM logged_models WHERE id = ?", [.text(id)])
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

    private static func deleteFiles(below location: String, in transaction: Transaction) throws {
        guard let root = try? ArtifactPath(location: location) else { return }
        try transaction.execute("DELETE FROM artifacts WHERE path > ? AND path < ?", range(below: root))
    }

    /// When a deleted run was deleted, as the journal has it: by itself, with its experiment, or before it was imported.
    private static func deletion(
        of run: String, in experiment: Int64, _ transaction: Transaction
    ) throws -> Timestamp {
        var last = Timestamp(microseconds: .min)
        for (type, subject) in [
            ("run.deleted", "run/\(run)"), ("run.imported", "run/\(run)"),
            ("experiment.deleted", "experiment/\(experiment)"),
        ] {
            let row = try transaction.first(
                "SELECT max(time) AS last FROM journal WHERE subject = ? AND type = ?", [.text(subject), .text(type)])
            if let time = try row?.optionalTimestamp("last") { last = max(last, time) }
        }
        return last
    }
}
