import SQL

/// A dataset that runs of an experiment read, and in which role.
public struct DatasetSummary: Sendable, Equatable {
    public var experiment: Int64
    public var name: String
    public var digest: String
    /// What runs read it for, such as `training`; nil where they did not say.
    public var context: String?
}

extension ExperimentStore {
    /// How many summaries are given at most.
    public static let summaryLimit = 1000
    private static let contextTag = "mlflow.data.context"

    /// The datasets that runs of these experiments read, each once for each role it was read in; at most
    /// ``summaryLimit``, by experiment, name, digest and role.
    public func datasets(of experiments: [Int64]) async throws -> [DatasetSummary] {
        try await database.read { transaction in
            try transaction.query(
                """
                SELECT DISTINCT d.experiment, d.name, d.digest, t.value AS context
                FROM datasets AS d JOIN run_datasets AS i ON i.dataset = d.id
                LEFT JOIN run_dataset_tags AS t ON t.run = i.run AND t.dataset = i.dataset AND t.key = ?
                WHERE d.experiment IN (\(SearchStatement.marks(experiments.count)))
                ORDER BY d.experiment, d.name, d.digest, context LIMIT ?
                """,
                [.text(Self.contextTag)] + experiments.map { .integer($0) } + [.integer(Int64(Self.summaryLimit))]
            ).map { row in
                DatasetSummary(
                    experiment: try row.integer("experiment"), name: try row.string("name"),
                    digest: try row.string("digest"), context: try row.optionalString("context"))
            }
        }
    }
}
