import Basics
import SQL

extension SearchVocabulary {
    /// Of traces, whose metadata stands where a run has parameters.
    public static let traces = SearchVocabulary(
        entities: [.tag],
        attributes: [
            "request_id": .listedText, "client_request_id": .listedText, "status": .listedText, "name": .text,
            "run_id": .text, "timestamp_ms": .number, "execution_time_ms": .number, "end_time_ms": .number,
        ],
        aliases: [
            "trace_id": "request_id", "timestamp": "timestamp_ms", "execution_time": "execution_time_ms",
            "end_time": "end_time_ms", "state": "status",
        ],
        prefixes: ["trace": .attribute, "metadata": .parameter, "request_metadata": .parameter])
}

extension ExperimentStore {
    /// A page of the traces of experiments that match; the newest first where no order is given.
    public func searchTraces(
        of experiments: [Int64], _ filter: SearchFilter, order: [SearchOrder], limit: Int, offset: Int
    ) async throws -> SearchPage<TraceInfo> {
        guard !experiments.isEmpty else { return SearchPage(items: [], next: nil) }
        var statement = SearchStatement()
        statement.require("t.experiment", among: experiments.map { .integer($0) })
        for clause in filter.clauses { Self.addTraceClause(clause, to: &statement) }
        for key in order {
            guard key.entity == .attribute else {
                throw ExperimentsFailure.search("Invalid order_by entity: \(key.entity.rawValue)")
            }
            statement.sort(by: "\(Self.traceColumn(key.key)) \(key.isAscending ? "ASC" : "DESC") NULLS LAST")
        }
        if !order.contains(where: { $0.key == "timestamp_ms" }) { statement.sort(by: "t.started DESC") }
        statement.sort(by: "t.id")
        return try await database.read { [statement] transaction in
            var rows = try statement.rows(Self.selectTraces, limit: limit, offset: offset, in: transaction)
            let isMore = rows.count > limit
            if isMore { rows.removeLast() }
            return SearchPage(
                items: try Self.traces(rows, in: transaction), next: isMore ? offset + limit : nil)
        }
    }

    private static func addTraceClause(_ clause: SearchFilter.Clause, to statement: inout SearchStatement) {
        switch (clause.entity, clause.key) {
        case (.tag, let key): addPair(clause, "trace_tags", key, to: &statement)
        case (.parameter, let key): addPair(clause, "trace_metadata", key, to: &statement)
        case (_, "name"): addPair(clause, "trace_tags", TraceKey.name, to: &statement)
        case (_, "run_id"): addPair(clause, "trace_metadata", TraceKey.run, to: &statement)
        case (_, let key):
            let column = traceColumn(key)
            let (condition, values) =
                key.hasSuffix("_ms")
                ? SearchStatement.number(column, clause) : SearchStatement.text(column, clause)
            statement.require(condition, values)
        }
    }

    private static func addPair(
        _ clause: SearchFilter.Clause, _ table: String, _ key: String, to statement: inout SearchStatement
    ) {
        let found = "(SELECT trace FROM \(table) WHERE key = ?"
        switch clause.comparison {
        case .isNull: statement.require("t.id NOT IN \(found))", [.text(key)])
        case .isNotNull: statement.require("t.id IN \(found))", [.text(key)])
        default:
            let (condition, values) = SearchStatement.text("value", clause)
            statement.require("t.id IN \(found) AND \(condition))", [.text(key)] + values)
        }
    }

    /// Times in milliseconds, as clients count them.
    private static func traceColumn(_ key: String) -> String {
        switch key {
        case "client_request_id": "t.client_request"
        case "status": "t.state"
        case "timestamp_ms": "(t.started / 1000)"
        case "execution_time_ms": "(t.duration / 1000)"
        case "end_time_ms": "((t.started + t.duration) / 1000)"
        case "name": "(SELECT value FROM trace_tags WHERE trace = t.id AND key = '\(TraceKey.name)')"
        case "run_id": "(SELECT value FROM trace_metadata WHERE trace = t.id AND key = '\(TraceKey.run)')"
        default: "t.id"
        }
    }
}
