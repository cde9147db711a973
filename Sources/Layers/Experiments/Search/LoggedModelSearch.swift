import Basics
import SQL

extension ExperimentStore {
    /// What to look for among logged models.
    public struct LoggedModelQuery: Sendable {
        public var experiments: [Int64]
        public var filter: SearchFilter
        /// The datasets whose metrics count; none for all.
        public var datasets: [DatasetName]
        /// Attributes and metrics; a metric may be of one dataset.
        public var order: [(key: SearchOrder, dataset: DatasetName?)]
        public var limit: Int
        public var offset: Int

        public init(
            experiments: [Int64], filter: SearchFilter, datasets: [DatasetName],
            order: [(key: SearchOrder, dataset: DatasetName?)], limit: Int, offset: Int
        ) {
            self.experiments = experiments
            self.filter = filter
            self.datasets = datasets
            self.order = order
            self.limit = limit
            self.offset = offset
        }
    }

    /// A page of the logged models that match; the newest first where no order is given.
    public func searchLoggedModels(_ query: LoggedModelQuery) async throws -> SearchPage<LoggedModel> {
        guard !query.experiments.isEmpty else { return SearchPage(items: [], next: nil) }
        var statement = SearchStatement()
        statement.require("m.experiment", among: query.experiments.map { .integer($0) })
        statement.require("m.stage = ?", [.text(LifecycleStage.active.rawValue)])
        for clause in query.filter.clauses { Self.add(clause, query.datasets, to: &statement) }
        for (index, order) in query.order.enumerated() { try Self.add(order, index, to: &statement) }
        statement.sort(by: "m.created DESC")
        statement.sort(by: "m.id")
        return try await database.read { [statement, limit = query.limit, offset = query.offset] transaction in
            var rows = try statement.rows(Self.selectLoggedModels, limit: limit, offset: offset, in: transaction)
            let isMore = rows.count > limit
            if isMore { rows.removeLast() }
            return SearchPage(
                items: try rows.map { try Self.loggedModel($0, in: transaction) }, next: isMore ? offset + limit : nil)
        }
    }

    private static func add(
        _ clause: SearchFilter.Clause, _ datasets: [DatasetName], to statement: inout SearchStatement
    ) {
        switch clause.entity {
        case .metric:
            let (condition, values) = SearchStatement.number("t.value", clause)
            let test =
                clause.comparison == .unequal ? "(t.is_nan = 1 OR \(condition))" : "t.is_nan = 0 AND \(condition)"
            let (of, ofValues) = restriction(to: datasets)
            statement.require(
                "m.id IN (SELECT t.model FROM logged_model_metrics AS t WHERE t.key = ? AND \(latest) AND \(of) AND \(test))",
                [.text(clause.key)] + ofValues + values)
        case .parameter, .tag:
            let table = clause.entity == .tag ? "logged_model_tags" : "logged_model_parameters"
            let found = "(SELECT model FROM \(table) WHERE key = ?"
            switch clause.comparison {
            case .isNull: statement.require("m.id NOT IN \(found))", [.text(clause.key)])
            case .isNotNull: statement.require("m.id IN \(found))", [.text(clause.key)])
            default:
                let (condition, values) = SearchStatement.text("value", clause)
                statement.require("m.id IN \(found) AND \(condition))", [.text(clause.key)] + values)
            }
        case .attribute, .dataset:
            let column = columns[clause.key] ?? "m.id"
            let isTime = column == "m.created" || column == "m.updated"
            let (condition, values) =
                isTime ? SearchStatement.number("(\(column) / 1000)", clause) : SearchStatement.text(column, clause)
            statement.require(condition, values)
        }
    }

    private static func add(
        _ order: (key: SearchOrder, dataset: DatasetName?), _ index: Int, to statement: inout SearchStatement
    ) throws {
        let direction = order.key.isAscending ? "ASC" : "DESC"
        switch order.key.entity {
        case .attribute: statement.sort(by: "\(columns[order.key.key] ?? "m.id") \(direction)")
        case .metric:
            let (of, values) = restriction(to: order.dataset.map { [$0] } ?? [])
            let name = "o\(index)"
            statement.join(
                """
                LEFT JOIN (SELECT t.model, min(t.is_nan) AS is_nan, max(t.value) AS value
                  FROM logged_model_metrics AS t WHERE t.key = ? AND \(latest) AND \(of) GROUP BY t.model) AS \(name)
                  ON \(name).model = m.id
                """, [.text(order.key.key)] + values)
            statement.sort(by: "\(name).is_nan ASC NULLS LAST")
            statement.sort(by: "\(name).value \(direction) NULLS LAST")
        default: throw ExperimentsFailure.search("Invalid order by field name: \(order.key.key)")
        }
    }

    /// Whether a point is the latest of its model and key on its dataset.
    private static let latest = """
        NOT EXISTS (SELECT 1 FROM logged_model_metrics AS n WHERE n.model = t.model AND n.key = t.key
          AND n.dataset_name = t.dataset_name AND n.dataset_digest = t.dataset_digest
          AND (n.step, n.time, n.value) > (t.step, t.time, t.value))
        """

    private static func restriction(to datasets: [DatasetName]) -> (String, [SQLValue]) {
        guard !datasets.isEmpty else { return ("1 = 1", []) }
        let parts = datasets.map { dataset -> (String, [SQLValue]) in
            guard let digest = dataset.digest else { return ("t.dataset_name = ?", [.text(dataset.name)]) }
            return ("(t.dataset_name = ? AND t.dataset_digest = ?)", [.text(dataset.name), .text(digest)])
        }
        return ("(\(parts.map(\.0).joined(separator: " OR ")))", parts.flatMap(\.1))
    }

    private static let columns = [
        "name": "m.name", "model_id": "m.id", "model_type": "m.model_type", "status": "m.status",
        "source_run_id": "m.source_run", "creation_timestamp": "m.created", "last_updated_timestamp": "m.updated",
    ]
}
