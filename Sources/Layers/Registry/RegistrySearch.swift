import Basics
import Experiments
import SQL

extension SearchVocabulary {
    /// Of registered models.
    public static let registeredModels = SearchVocabulary(
        entities: [.tag], attributes: ["name": .listedText, "last_updated_timestamp": .number],
        aliases: ["timestamp": "last_updated_timestamp"])

    /// Of model versions.
    public static let modelVersions = SearchVocabulary(
        entities: [.tag],
        attributes: [
            "name": .listedText, "run_id": .listedText, "source_path": .listedText, "version_number": .quotableNumber,
            "creation_timestamp": .number, "last_updated_timestamp": .number,
        ])
}

extension ModelRegistry {
    /// The tag of a model that is a prompt, which only those who ask for it see.
    private static let promptTag = "mlflow.prompt.is_prompt"

    /// A page of the models that match, by name where no order is given.
    public func searchModels(
        _ filter: SearchFilter, order: [SearchOrder], limit: Int, offset: Int
    ) async throws -> SearchPage<RegisteredModel> {
        var statement = SearchStatement()
        statement.require("m.deleted = 0")
        // A model without the tag is no prompt either.
        let asked = filter.clauses.filter { $0.entity == .tag && $0.key == Self.promptTag }
        let wantsPrompts = asked.contains { $0.comparison == .equal && $0.value == .text("true") }
        statement.require(
            "m.name \(wantsPrompts ? "IN" : "NOT IN") (SELECT model FROM model_tags WHERE key = ? AND value = 'true')",
            [.text(Self.promptTag)])
        for clause in filter.clauses where !asked.contains(clause) {
            if clause.entity == .tag {
                Self.addTag(
                    clause, "m.name", "SELECT t.model FROM model_tags AS t WHERE t.key = ?", to: &statement)
            } else {
                Self.add(clause, ["name": "m.name", "last_updated_timestamp": "m.updated"], to: &statement)
            }
        }
        try Self.sort(by: order, ["name": "m.name", "last_updated_timestamp": "m.updated"], in: &statement)
        if !order.contains(where: { $0.key == "name" }) { statement.sort(by: "m.name") }
        return try await database.read { [statement] transaction in
            var rows = try statement.rows(
                "SELECT m.name FROM models AS m", limit: limit, offset: offset, in: transaction)
            let isMore = rows.count > limit
            if isMore { rows.removeLast() }
            return SearchPage(
                items: try rows.map { try Self.model($0.string("name"), in: transaction) },
                next: isMore ? offset + limit : nil)
        }
    }

    /// A page of the versions that match, those changed last first where no order is given.
    public func searchVersions(
        _ filter: SearchFilter, order: [SearchOrder], limit: Int, offset: Int
    ) async throws -> SearchPage<RegisteredVersion> {
        let columns = [
            "name": "v.model", "run_id": "coalesce(v.run, '')", "source_path": "coalesce(v.source, '')",
            "version_number": "v.version", "creation_timestamp": "v.created", "last_updated_timestamp": "v.updated",
        ]
        var statement = SearchStatement()
        statement.require("v.deleted = 0")
        for clause in filter.clauses {
            if clause.entity == .tag {
                Self.addTag(
                    clause, "v.version",
                    "SELECT t.version FROM model_version_tags AS t WHERE t.model = v.model AND t.key = ?",
                    to: &statement)
            } else {
                Self.add(clause, columns, to: &statement)
            }
        }
        try Self.sort(by: order, columns, in: &statement)
        if !order.contains(where: { $0.key == "last_updated_timestamp" }) { statement.sort(by: "v.updated DESC") }
        if !order.contains(where: { $0.key == "name" }) { statement.sort(by: "v.model") }
        if !order.contains(where: { $0.key == "version_number" }) { statement.sort(by: "v.version DESC") }
        return try await database.read { [statement] transaction in
            var rows = try statement.rows(
                """
                SELECT v.model, v.version, v.stage, v.bundle, v.run, v.description, v.created, v.updated, v.source,
                  v.location, v.run_link, v.logged_model FROM model_versions AS v
                """, limit: limit, offset: offset, in: transaction)
            let isMore = rows.count > limit
            if isMore { rows.removeLast() }
            return SearchPage(
                items: try rows.map { try Self.registered($0, in: transaction) }, next: isMore ? offset + limit : nil)
        }
    }

    private static func addTag(
        _ clause: SearchFilter.Clause, _ column: String, _ found: String, to statement: inout SearchStatement
    ) {
        switch clause.comparison {
        case .isNull: statement.require("\(column) NOT IN (\(found))", [.text(clause.key)])
        case .isNotNull: statement.require("\(column) IN (\(found))", [.text(clause.key)])
        default:
            let (condition, values) = SearchStatement.text("t.value", clause)
            statement.require("\(column) IN (\(found) AND \(condition))", [.text(clause.key)] + values)
        }
    }

    private static func add(
        _ clause: SearchFilter.Clause, _ columns: [String: String], to statement: inout SearchStatement
    ) {
        let column = columns[clause.key] ?? "0"
        let (condition, values): (String, [SQLValue]) =
            switch clause.key {
            case "version_number": SearchStatement.number(column, clause)
            case "creation_timestamp", "last_updated_timestamp": SearchStatement.number("(\(column) / 1000)", clause)
            default: SearchStatement.text(column, clause)
            }
        statement.require(condition, values)
    }

    private static func sort(
        by order: [SearchOrder], _ columns: [String: String], in statement: inout SearchStatement
    ) throws {
        for key in order {
            guard key.entity == .attribute, let column = columns[key.key] else {
                throw ExperimentsFailure.search("Invalid order_by key '\(key.key)' specified")
            }
            statement.sort(by: "\(column) \(key.isAscending ? "ASC" : "DESC")")
        }
    }
}
