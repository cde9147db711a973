import Basics
import SQL

extension ExperimentStore {
    /// A page of the experiments that match, the newest first where no order is given.
    public func searchExperiments(
        _ filter: SearchFilter, order: [SearchOrder], view: StageView, limit: Int, offset: Int
    ) async throws -> SearchPage<Experiment> {
        var statement = SearchStatement()
        statement.require("e.stage", among: view.stages.map { .text($0.rawValue) })
        for clause in filter.clauses { try Self.add(clause, to: &statement) }
        for key in order {
            guard key.entity == .attribute, let column = Self.columns[key.key] else {
                throw ExperimentsFailure.search("Invalid order_by entity: \(key.entity.rawValue)")
            }
            statement.sort(by: "\(column) \(key.isAscending ? "ASC" : "DESC")")
        }
        if order.isEmpty {
            statement.sort(by: "e.created DESC")
            statement.sort(by: "e.id")
        } else if !order.contains(where: { $0.key == "experiment_id" }) {
            statement.sort(by: "e.id DESC")
        }
        return try await database.read { [statement] transaction in
            var rows = try statement.rows(
                "SELECT e.id, e.name, e.location, e.stage, e.created, e.updated FROM experiments AS e", limit: limit,
                offset: offset, in: transaction)
            let isMore = rows.count > limit
            if isMore { rows.removeLast() }
            return SearchPage(
                items: try Self.experiments(of: rows, in: transaction), next: isMore ? offset + limit : nil)
        }
    }

    private static func add(_ clause: SearchFilter.Clause, to statement: inout SearchStatement) throws {
        switch clause.entity {
        case .tag:
            let (condition, values) = SearchStatement.text("value", clause)
            let found = "(SELECT experiment FROM experiment_tags WHERE key = ?"
            switch clause.comparison {
            case .isNull: statement.require("e.id NOT IN \(found))", [.text(clause.key)])
            case .isNotNull: statement.require("e.id IN \(found))", [.text(clause.key)])
            default: statement.require("e.id IN \(found) AND \(condition))", [.text(clause.key)] + values)
            }
        default:
            let column = columns[clause.key] ?? "e.name"
            let (condition, values): (String, [SQLValue]) =
                switch clause.key {
                case "creation_time", "last_update_time": SearchStatement.number("(\(column) / 1000)", clause)
                case "experiment_id": SearchStatement.text("CAST(e.id AS TEXT)", clause)
                default: SearchStatement.text(column, clause)
                }
            statement.require(condition, values)
        }
    }

    private static let columns = [
        "name": "e.name", "experiment_id": "e.id", "creation_time": "e.created", "last_update_time": "e.updated",
    ]
}
