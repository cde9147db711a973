import Basics
import SQL

extension ExperimentStore {
    /// What to look for among runs.
    public struct RunQuery: Sendable {
        /// The ids of the experiments that are looked at; none finds nothing.
        public var experiments: [Int64]
        public var filter: SearchFilter
        public var order: [SearchOrder]
        public var view: StageView
        public var limit: Int
        public var offset: Int

        public init(
            experiments: [Int64], filter: SearchFilter, order: [SearchOrder], view: StageView, limit: Int, offset: Int
        ) {
            self.experiments = experiments
            self.filter = filter
            self.order = order
            self.view = view
            self.limit = limit
            self.offset = offset
        }
    }

    /// A page of the runs that match, with all that was logged to them.
    ///
    /// What a run lacks is sorted last, after values that are not a number. Ties go to the run that started later, then to
    /// the lesser id.
    public func search(_ query: RunQuery) async throws -> SearchPage<RunRecord> {
        guard !query.experiments.isEmpty else { return SearchPage(items: [], next: nil) }
        var statement = SearchStatement()
        let experiments = query.experiments.map { SQLValue.integer($0) }
        statement.require("r.experiment", among: experiments)
        statement.require("r.stage", among: query.view.stages.map { .text($0.rawValue) })
        for clause in query.filter.clauses { Self.add(clause, experiments, to: &statement) }
        for (index, order) in query.order.enumerated() { Self.add(order, index, to: &statement) }
        if !query.order.contains(where: { $0.entity == .attribute && $0.key == "start_time" }) {
            statement.sort(by: "r.started DESC")
        }
        statement.sort(by: "r.id")
        return try await database.read { [statement] transaction in
            var rows = try statement.rows(
                Self.selectRuns, limit: query.limit, offset: query.offset, in: transaction)
            let isMore = rows.count > query.limit
            if isMore { rows.removeLast() }
            return SearchPage(
                items: try Self.records(of: rows, in: transaction), next: isMore ? query.offset + query.limit : nil)
        }
    }

    private static func add(
        _ clause: SearchFilter.Clause, _ experiments: [SQLValue], to statement: inout SearchStatement
    ) {
        let own = "experiment IN (\(SearchStatement.marks(experiments.count))) AND key = ?"
        let key = experiments + [.text(clause.key)]
        switch clause.entity {
        case .metric:
            let (condition, values) = SearchStatement.number("value", clause)
            // What is not a number differs from every number, and is no match otherwise.
            let test = clause.comparison == .unequal ? "(is_nan = 1 OR \(condition))" : "is_nan = 0 AND \(condition)"
            statement.require(
                "r.number IN (SELECT run FROM run_metrics WHERE \(own) AND \(test))", key + values)
        case .parameter, .tag:
            let table = clause.entity == .tag ? "run_tags" : "run_parameters"
            switch clause.comparison {
            case .isNull:
                statement.require("r.number NOT IN (SELECT run FROM \(table) WHERE \(own))", key)
            case .isNotNull:
                statement.require("r.number IN (SELECT run FROM \(table) WHERE \(own))", key)
            default:
                var (condition, values) = SearchStatement.text("value", clause)
                if clause.comparison == .equal, case .text(let text) = clause.value {
                    // The index has the beginning of a value only.
                    condition = "substr(value, 1, 64) = ?"
                    values = [.text(RecordRules.cut(text, 64))]
                    if text.unicodeScalars.count >= 64 {
                        condition += " AND value = ?"
                        values.append(.text(text))
                    }
                }
                statement.require(
                    "r.number IN (SELECT run FROM \(table) WHERE \(own) AND \(condition))", key + values)
            }
        case .dataset:
            let isContext = clause.key == "context"
            let (condition, values) = SearchStatement.text(isContext ? "g.value" : "d.\(clause.key)", clause)
            let tags = "JOIN run_dataset_tags AS g ON g.run = t.run AND g.dataset = t.dataset"
            statement.require(
                """
                r.number IN (SELECT t.run FROM run_datasets AS t JOIN datasets AS d ON d.id = t.dataset
                  \(isContext ? tags : "") WHERE \(isContext ? "g.key = 'mlflow.data.context' AND" : "") \(condition))
                """, values)
        case .attribute:
            let column = columns[clause.key] ?? "r.id"
            let isTime = column == "r.started" || column == "r.ended"
            let (condition, values) =
                isTime ? SearchStatement.number("(\(column) / 1000)", clause) : SearchStatement.text(column, clause)
            statement.require(condition, values)
        }
    }

    private static func add(_ order: SearchOrder, _ index: Int, to statement: inout SearchStatement) {
        let direction = order.isAscending ? "ASC" : "DESC"
        let name = "o\(index)"
        switch order.entity {
        case .attribute:
            statement.sort(
                by: "\(columns[order.key] ?? "r.id") \(direction)" + (order.key == "end_time" ? " NULLS LAST" : ""))
        case .metric:
            statement.join(
                "LEFT JOIN run_metrics AS \(name) ON \(name).run = r.number AND \(name).key = ?", [.text(order.key)])
            statement.sort(by: "\(name).is_nan ASC NULLS LAST")
            statement.sort(by: "\(name).value \(direction) NULLS LAST")
        case .parameter, .tag, .dataset:
            let table = order.entity == .tag ? "run_tags" : "run_parameters"
            statement.join(
                "LEFT JOIN \(table) AS \(name) ON \(name).run = r.number AND \(name).key = ?", [.text(order.key)])
            statement.sort(by: "\(name).value \(direction) NULLS LAST")
        }
    }

    private static let columns = [
        "run_id": "r.id", "run_name": "r.name", "status": "r.status", "artifact_uri": "r.location",
        "user_id": "r.user_name", "start_time": "r.started", "end_time": "r.ended",
    ]
}
