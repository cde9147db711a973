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
        /// How many runs a clause may match and still be what the search sets out from.
        var narrowLimit: Int64 = 1000

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
        return try await database.read { transaction in
            var rows = try Self.statement(query, in: transaction).rows(
                "SELECT r.number FROM runs AS r", limit: query.limit, offset: query.offset, in: transaction)
            let isMore = rows.count > query.limit
            if isMore { rows.removeLast() }
            return SearchPage(
                items: try Self.records(ofNumbers: rows.map { try $0.integer("number") }, in: transaction),
                next: isMore ? query.offset + query.limit : nil)
        }
    }

    /// Of how many experiments at most conditions are looked up first.
    private static let namedMax = 100

    private static func statement(_ query: RunQuery, in transaction: Transaction) throws -> SearchStatement {
        var statement = SearchStatement()
        statement.require("r.experiment", among: query.experiments.map { .integer($0) })
        statement.require("r.stage", among: query.view.stages.map { .text($0.rawValue) })
        for clause in query.filter.clauses { try add(clause, query, to: &statement, in: transaction) }
        for (index, order) in query.order.enumerated() { add(order, index, to: &statement) }
        if !query.order.contains(where: { $0.entity == .attribute && $0.key == "start_time" }) {
            statement.sort(by: "r.started DESC")
        }
        statement.sort(by: "r.id")
        return statement
    }

    private static func add(
        _ clause: SearchFilter.Clause, _ query: RunQuery, to statement: inout SearchStatement,
        in transaction: Transaction
    ) throws {
        switch clause.entity {
        case .metric:
            let (condition, values) = SearchStatement.number("value", clause)
            // What is not a number differs from every number, and is no match otherwise.
            let test = clause.comparison == .unequal ? "(is_nan = 1 OR \(condition))" : "is_nan = 0 AND \(condition)"
            try add("run_metrics", clause.key, test, values, query, to: &statement, in: transaction)
        case .parameter, .tag:
            let table = clause.entity == .tag ? "run_tags" : "run_parameters"
            switch clause.comparison {
            case .isNull:
                statement.require(
                    "NOT EXISTS (SELECT 1 FROM \(table) AS t WHERE t.run = r.number AND t.key = ?)", [.text(clause.key)]
                )
            case .isNotNull: try add(table, clause.key, "1 = 1", [], query, to: &statement, in: transaction)
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
                try add(table, clause.key, condition, values, query, to: &statement, in: transaction)
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

    /// A condition on a record of the run. One that few runs fulfil is looked up first; one that many do is asked of each
    /// run in turn, because a page is then soon full.
    private static func add(
        _ table: String, _ key: String, _ test: String, _ values: [SQLValue], _ query: RunQuery,
        to statement: inout SearchStatement, in transaction: Transaction
    ) throws {
        let each = "EXISTS (SELECT 1 FROM \(table) AS t WHERE t.run = r.number AND t.key = ? AND \(test))"
        // Their ids would stand in the statement once more for each condition, and it can hold only so many values.
        guard query.experiments.count <= namedMax else { return statement.require(each, [.text(key)] + values) }
        let marks = SearchStatement.marks(query.experiments.count)
        let matching = "SELECT run FROM \(table) WHERE experiment IN (\(marks)) AND key = ? AND \(test)"
        let all = query.experiments.map { SQLValue.integer($0) } + [.text(key)] + values
        let count = try transaction.first(
            "SELECT count(*) AS n FROM (\(matching) LIMIT ?) AS matching", all + [.integer(query.narrowLimit + 1)]
        )?.integer("n")
        if let count, count > query.narrowLimit {
            statement.require(each, [.text(key)] + values)
        } else {
            statement.require("r.number IN (\(matching))", all)
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
