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
            var numbers = try Self.numbers(query, in: transaction)
            let isMore = numbers.count > query.limit
            if isMore { numbers.removeLast() }
            return SearchPage(
                items: try Self.records(ofNumbers: numbers, in: transaction),
                next: isMore ? query.offset + query.limit : nil)
        }
    }

    /// The numbers of the runs of a page, and of one more where there is one.
    ///
    /// A search sets out from the narrowest that it has: from the runs that fulfil a condition few fulfil; else, where a
    /// metric of one experiment gives the order, from the index that holds its values in this order; else from all runs of
    /// the experiments, the latest first.
    private static func numbers(_ query: RunQuery, in transaction: Transaction) throws -> [Int64] {
        let conditions = try query.filter.clauses.map { try condition($0, query, in: transaction) }
            .sorted { $0.reach < $1.reach }
        let isNarrow = conditions.first?.reach == .narrow
        if !isNarrow, query.experiments.count == 1, let first = query.order.first, first.entity == .metric {
            return try walk(first, conditions, query, in: transaction)
        }
        var statement = Self.statement(conditions, query.view, of: "r.number")
        // A narrow condition names the experiments itself. Named here too, SQLite would set out from all of their runs.
        if !isNarrow { statement.require("r.experiment", among: query.experiments.map { .integer($0) }) }
        for (index, order) in query.order.enumerated() { sort(&statement, by: order, index) }
        return try numbers(statement, query, limit: query.limit, offset: query.offset, in: transaction)
    }

    /// - Parameter run: the column that has a run's number and is read first.
    private static func statement(_ conditions: [Condition], _ view: StageView, of run: String) -> SearchStatement {
        var statement = SearchStatement()
        statement.require("r.stage", among: view.stages.map { .text($0.rawValue) })
        for condition in conditions { statement.require(condition.text(run), condition.values) }
        return statement
    }

    private static func numbers(
        _ statement: SearchStatement, _ query: RunQuery, limit: Int, offset: Int, in transaction: Transaction
    ) throws -> [Int64] {
        var statement = statement
        if !query.order.contains(where: { $0.entity == .attribute && $0.key == "start_time" }) {
            statement.sort(by: "r.started DESC")
        }
        statement.sort(by: "r.id")
        return try statement.rows("SELECT r.number FROM \(runs)", limit: limit, offset: offset, in: transaction)
            .map { try $0.integer("number") }
    }

    /// A page in the order of a metric first: of the runs that have a number there, then of those that have none that is a
    /// number, then of those that lack it. Each part is in the order of an index, of which no more is read than fills the page.
    private static func walk(
        _ first: SearchOrder, _ conditions: [Condition], _ query: RunQuery, in transaction: Transaction
    ) throws -> [Int64] {
        let experiments = query.experiments.map { SQLValue.integer($0) }
        var withMetric = Self.statement(conditions, query.view, of: "o.run")
        withMetric.join("JOIN run_metrics AS o ON o.run = r.number AND o.key = ?", [.text(first.key)])
        withMetric.require("o.experiment", among: experiments)
        withMetric.sort(by: "o.value \(first.isAscending ? "ASC" : "DESC")")
        var (numbers, notNumbers) = (withMetric, withMetric)
        numbers.require("o.is_nan = 0")
        notNumbers.require("o.is_nan = 1")
        var without = Self.statement(conditions, query.view, of: "r.number")
        without.require("r.experiment", among: experiments)
        without.require(lacks("run_metrics", "r.number"), [.text(first.key)])
        var page: [Int64] = []
        var skip = query.offset
        for part in [numbers, notNumbers, without] where page.count <= query.limit {
            var statement = part
            for (index, order) in query.order.enumerated().dropFirst() { sort(&statement, by: order, index) }
            let found = try Self.numbers(
                statement, query, limit: query.limit - page.count, offset: skip, in: transaction)
            page += found
            // The page begins here, or after all that this part has.
            skip = found.isEmpty && skip > 0 ? skip - (try part.count(runs, in: transaction)) : 0
        }
        return page
    }

    private static let runs = "runs AS r"

    /// Of how many experiments at most conditions are looked up first.
    private static let namedMax = 100

    /// A condition on runs.
    private struct Condition {
        /// How many runs are likely to fulfil it. The fewer, the earlier it is asked.
        enum Reach: Int, Comparable {
            /// So few that they are looked up, by the experiments that the search names.
            case narrow
            case oneValue
            case broad

            static func < (one: Reach, other: Reach) -> Bool { one.rawValue < other.rawValue }
        }

        /// Its text, given the column that has a run's number.
        let text: (_ run: String) -> String
        let values: [SQLValue]
        var reach = Reach.broad
    }

    private static func condition(
        _ clause: SearchFilter.Clause, _ query: RunQuery, in transaction: Transaction
    ) throws -> Condition {
        switch clause.entity {
        case .metric:
            let (condition, values) = SearchStatement.number("value", clause)
            // What is not a number differs from every number, and is no match otherwise.
            let test = clause.comparison == .unequal ? "(is_nan = 1 OR \(condition))" : "is_nan = 0 AND \(condition)"
            return try record("run_metrics", clause, test, values, query, in: transaction)
        case .parameter, .tag:
            let table = clause.entity == .tag ? "run_tags" : "run_parameters"
            switch clause.comparison {
            case .isNull: return Condition(text: { lacks(table, $0) }, values: [.text(clause.key)])
            case .isNotNull: return try record(table, clause, "1 = 1", [], query, in: transaction)
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
                return try record(table, clause, condition, values, query, in: transaction)
            }
        case .dataset:
            let isContext = clause.key == "context"
            let (condition, values) = SearchStatement.text(isContext ? "g.value" : "d.\(clause.key)", clause)
            let tags = "JOIN run_dataset_tags AS g ON g.run = t.run AND g.dataset = t.dataset"
            let matching = """
                SELECT t.run FROM run_datasets AS t JOIN datasets AS d ON d.id = t.dataset
                  \(isContext ? tags : "") WHERE \(isContext ? "g.key = 'mlflow.data.context' AND" : "") \(condition)
                """
            return Condition(text: { "\($0) IN (\(matching))" }, values: values)
        case .attribute:
            let column = columns[clause.key] ?? "r.id"
            let isTime = column == "r.started" || column == "r.ended"
            let (condition, values) =
                isTime ? SearchStatement.number("(\(column) / 1000)", clause) : SearchStatement.text(column, clause)
            return Condition(text: { _ in condition }, values: values)
        }
    }

    /// A condition on a record of the run. One that few runs fulfil is looked up first; one that many do is asked of each
    /// run in turn, because a page is then soon full.
    private static func record(
        _ table: String, _ clause: SearchFilter.Clause, _ test: String, _ values: [SQLValue], _ query: RunQuery,
        in transaction: Transaction
    ) throws -> Condition {
        let each = Condition(
            text: { "EXISTS (SELECT 1 FROM \(table) AS t WHERE t.run = \($0) AND t.key = ? AND \(test))" },
            values: [.text(clause.key)] + values, reach: clause.comparison == .equal ? .oneValue : .broad)
        // Their ids would stand in the statement once more for each condition, and it can hold only so many values.
        guard query.experiments.count <= namedMax else { return each }
        let marks = SearchStatement.marks(query.experiments.count)
        let matching = "SELECT run FROM \(table) WHERE experiment IN (\(marks)) AND key = ? AND \(test)"
        let all = query.experiments.map { SQLValue.integer($0) } + [.text(clause.key)] + values
        let count = try transaction.first(
            "SELECT count(*) AS n FROM (\(matching) LIMIT ?) AS matching", all + [.integer(query.narrowLimit + 1)]
        )?.integer("n")
        guard let count, count <= query.narrowLimit else { return each }
        return Condition(text: { "\($0) IN (\(matching))" }, values: all, reach: .narrow)
    }

    private static func lacks(_ table: String, _ run: String) -> String {
        "NOT EXISTS (SELECT 1 FROM \(table) AS t WHERE t.run = \(run) AND t.key = ?)"
    }

    private static func sort(_ statement: inout SearchStatement, by order: SearchOrder, _ index: Int) {
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
