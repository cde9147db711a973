import Basics
import Columnar

/// Judges the rows of a staged table by its expectations, in as few passes as there can be.
///
/// One pass counts for all rules about single rows and all statistics; uniqueness, queries and distributions take one
/// more each. A last one sets rows aside with their reasons.
struct ExpectationCheck {
    let table: TableDefinition
    /// The present, for freshness.
    let now: Timestamp
    /// What distributions are compared with, by the name of the expectation.
    let references: [String: DistributionReference]
    /// Has the columns of the table and `__row`, which counts from 1.
    let staging: String
    /// Takes `__row` and the name of the expectation of every row to set aside; nil where none are to be.
    let reasons: String?
    let connection: ColumnarConnection

    /// One expectation under way.
    struct Item {
        let expectation: Expectation
        let index: Int
        let sql: ExpectationSQL?
        var result: ExpectationResult
        /// The first rows that break the rule, of which the values are told.
        var examples: [Int64] = []
        /// The row that stands for them all.
        var first: Int64?
        /// A query for the `__row` of the rows to set aside, where the rule is no condition on a row.
        var aside: String?

        var breaks: String { "__breaks_\(index)" }
        var missing: String { "__missing_\(index)" }
        /// A temporary table of the rows whose values stand more than once.
        var repeated: String { "__repeated_\(index)" }
    }

    func run() throws -> [ExpectationResult] {
        let schema = try connection.query(
            "SELECT column_name AS name, column_type AS type FROM (DESCRIBE \(staging))", context: context())
        let types = zip(try schema.strings("name"), try schema.strings("type")).compactMap { name, type in
            name.flatMap { name in type.map { (name: name, type: $0) } }
        }.filter { $0.name != "__row" }
        let rows = Self.relation(staging, types)
        var items = table.expectations.enumerated().map { index, expectation in
            Item(
                expectation: expectation, index: index, sql: ExpectationSQL(expectation.rule),
                result: ExpectationResult(expectation, rows: 0))
        }
        let tables = items.filter { if case .unique = $0.expectation.rule { true } else { false } }.map(\.repeated)
        defer {
            for table in tables { _ = try? connection.execute("DROP TABLE IF EXISTS temp.main.\(table)") }
        }
        let counted = try count(&items, over: rows)
        for index in items.indices {
            try attribute(items[index].expectation) {
                switch items[index].expectation.rule {
                case .unique(let columns, let nullsEqual):
                    try unique(&items[index], columns, nullsEqual: nullsEqual, over: rows)
                case .query(let query): try self.query(&items[index], query, over: rows)
                default:
                    if !items[index].expectation.rule.isAboutRows {
                        try WholeTableCheck(check: self, rows: rows, types: types, counted: counted)
                            .judge(&items[index])
                    }
                }
            }
        }
        try tellExamples(&items, over: rows, columns: types.map(\.name))
        try setAside(items, over: rows)
        for index in items.indices { items[index].result.describe(items[index].expectation) }
        return items.map(\.result)
    }

    /// The staged rows with nulls for NaN, which is no value anywhere.
    private static func relation(_ staging: String, _ types: [(name: String, type: String)]) -> String {
        let floating = types.filter { ["DOUBLE", "FLOAT"].contains($0.type) }.map { SQLText.identifier($0.name) }
        guard !floating.isEmpty else { return "(SELECT * FROM \(staging))" }
        let replaced = floating.map { "CASE WHEN isnan(\($0)) THEN NULL ELSE \($0) END AS \($0)" }
        return "(SELECT * REPLACE (\(replaced.joined(separator: ", "))) FROM \(staging))"
    }

    func context(_ expectation: Expectation? = nil) -> String {
        "data/\(table.name)" + (expectation.map { ", expectation \($0.name)" } ?? "")
    }

    /// The rows with the flags of some of the rules beside them.
    private func flagged(_ items: [Item], over rows: String) -> String {
        let flags = items.flatMap { item -> [String] in
            guard let sql = item.sql else { return [] }
            return ["coalesce((\(sql.breaks)), false) AS \(item.breaks)"]
                + (sql.missing.map { ["(\($0)) AS \(item.missing)"] } ?? [])
        }
        return "(SELECT *\(flags.map { ", " + $0 }.joined()) FROM \(rows))"
    }

    // MARK: Counting

    /// The one pass over all rows: the counts of the rules about single rows, and every statistic.
    private func count(_ items: inout [Item], over rows: String) throws -> Table {
        func query(_ items: [Item]) -> String {
            var selected = ["count(*) AS total"]
            for item in items {
                if let sql = item.sql {
                    selected += [
                        "count(*) FILTER (WHERE \(item.breaks)) AS \(item.breaks)",
                        "CAST(min(__row, \(ExpectationResult.examplesMax)) FILTER (WHERE \(item.breaks)) AS VARCHAR) "
                            + "AS __rows_\(item.index)",
                    ]
                    if sql.missing != nil {
                        selected.append("count(*) FILTER (WHERE \(item.missing)) AS \(item.missing)")
                    }
                }
                selected += WholeTableCheck.aggregates(item)
            }
            return "SELECT \(selected.joined(separator: ", ")) FROM \(flagged(items, over: rows))"
        }
        let counted: Table
        do {
            counted = try connection.query(query(items), context: context())
        } catch let error as ColumnarFailure {
            // All rules stand in one query: alone, the one at fault says so itself.
            for item in items {
                try attribute(item.expectation) {
                    _ = try connection.query(query([item]), context: context(item.expectation))
                }
            }
            throw error
        }
        let total = try counted.count("total")
        for index in items.indices {
            items[index].result.rows = total
            guard let sql = items[index].sql else { continue }
            let failing = try counted.count(items[index].breaks)
            items[index].result.failing = failing
            items[index].result.judge(
                missing: sql.missing == nil ? 0 : try counted.count(items[index].missing), unexpected: failing,
                mostly: items[index].expectation.mostly)
            let list = try counted.strings("__rows_\(items[index].index)").first.flatMap { $0 } ?? ""
            items[index].examples = list.split { !$0.isNumber }.compactMap { Int64($0) }
            items[index].first = items[index].examples.first
        }
        return counted
    }

    private func unique(_ item: inout Item, _ columns: [String], nullsEqual: Bool, over rows: String) throws {
        let names = columns.map(SQLText.identifier)
        let keys = names.joined(separator: ", ")
        // As in SQL, a null equals no other null unless that is asked for.
        let missing = ExpectationSQL.nulls(columns, joined: nullsEqual ? " AND " : " OR ")
        let groups = "SELECT \(keys) FROM \(rows) WHERE NOT (\(missing)) GROUP BY \(keys) HAVING count(*) > 1"
        let same = names.map { "r.\($0) IS NOT DISTINCT FROM g.\($0)" }.joined(separator: " AND ")
        let context = context(item.expectation)
        // Kept for the count, the examples and the quarantine: the groups are what costs.
        let repeated = item.repeated
        try connection.execute(
            """
            CREATE OR REPLACE TEMPORARY TABLE \(repeated) AS
            SELECT __row, row_number() OVER (PARTITION BY \(keys) ORDER BY __row) AS __member
            FROM \(rows) AS r SEMI JOIN (\(groups)) AS g ON \(same)
            """, context: context)
        let counts = try connection.query(
            """
            SELECT count(*) AS members, count(*) FILTER (WHERE __member > 1) AS repeats,
              (SELECT count(*) FROM \(rows) WHERE \(missing)) AS missing
            FROM \(repeated)
            """, context: context)
        let members = try counts.count("members")
        item.result.failing = try counts.count("repeats")
        item.result.judge(
            missing: try counts.count("missing"), unexpected: members, mostly: item.expectation.mostly)
        guard members > 0 else { return }
        let aside = "SELECT __row FROM \(repeated) WHERE __member > 1"
        item.aside = aside
        item.examples = try rowNumbers("SELECT __row FROM \(repeated)", item.expectation)
        item.first = try rowNumbers(aside, item.expectation).first
    }

    private func query(_ item: inout Item, _ query: String, over rows: String) throws {
        var text = query
        while let last = text.last, last.isWhitespace || last == ";" { text.removeLast() }
        // The name stands for the rows that are being checked, not for those that were published before.
        let found =
            "(WITH \(SQLText.identifier(table.name)) AS (SELECT * FROM \(rows)) SELECT * FROM (\(text)\n) AS found)"
        let columns = try connection.query(
            "SELECT column_name AS name FROM (DESCRIBE SELECT * FROM \(found))", context: context(item.expectation)
        ).strings("name").compactMap { $0 }
        let failing = try connection.query(
            "SELECT count(*) AS failing FROM \(found)", context: context(item.expectation)
        ).count("failing")
        item.result.failing = failing
        item.result.judge(missing: 0, unexpected: failing, mostly: item.expectation.mostly)
        guard columns.contains("__row") else {
            if item.expectation.severity == .quarantine {
                throw DatasetsFailure.badExpectation(
                    table: table.name, expectation: item.expectation.name,
                    problem: "its query does not tell which rows to quarantine",
                    remedy: "Select '__row' too, the number of the row in the file, or use severity stop or warn.")
            }
            let values = try documents("SELECT * FROM \(found) LIMIT \(ExpectationResult.examplesMax)", columns, item)
            item.result.partialValues(values.map { .row($0.text) })
            return
        }
        item.aside = "SELECT DISTINCT __row FROM \(found)"
        item.examples = try rowNumbers("SELECT __row FROM \(found)", item.expectation)
        item.first = item.examples.first
    }

    private func rowNumbers(_ query: String, _ expectation: Expectation) throws -> [Int64] {
        try connection.query(
            "SELECT DISTINCT __row FROM (\(query)) ORDER BY __row LIMIT \(ExpectationResult.examplesMax)",
            context: context(expectation)
        ).integers("__row").compactMap { $0 }
    }

    // MARK: Telling

    private func documents(_ query: String, _ columns: [String], _ item: Item) throws -> [(row: Int64?, text: String)] {
        let members = columns.filter { $0 != "__row" }.map { "\(SQLText.literal($0)): \(SQLText.identifier($0))" }
        let row = columns.contains("__row") ? "__row" : "CAST(NULL AS BIGINT) AS __row"
        let table = try connection.query(
            "SELECT \(row), CAST(to_json({\(members.joined(separator: ", "))}) AS VARCHAR) AS document FROM (\(query))",
            context: context(item.expectation))
        return zip(try table.integers("__row"), try table.strings("document")).map { ($0, $1 ?? "null") }
    }

    private func tellExamples(_ items: inout [Item], over rows: String, columns: [String]) throws {
        let wanted = Set(items.flatMap { $0.examples + [$0.first].compactMap { $0 } }).sorted()
        guard !wanted.isEmpty, let any = items.first else { return }
        let list = wanted.map(String.init).joined(separator: ", ")
        let found = try documents(
            "SELECT * FROM \(rows) WHERE __row IN (\(list))", ["__row"] + columns, any)
        let texts = Dictionary(found.compactMap { pair in pair.row.map { ($0, pair.text) } }) { first, _ in first }
        let values = texts.compactMapValues { try? JSON.decode(JSONValue.self, from: $0) }
        for index in items.indices where items[index].sql != nil || items[index].aside != nil {
            let names = items[index].expectation.rule.columnNames
            items[index].result.partialValues(
                items[index].examples.map { row in
                    guard let value = values[row] else { return .row(texts[row] ?? "") }
                    return .value(names, value, at: row - 1)
                })
            items[index].result.example = items[index].first.flatMap { texts[$0] }
        }
    }

    // MARK: Setting aside

    private func setAside(_ items: [Item], over rows: String) throws {
        guard let reasons else { return }
        let failing = items.filter { $0.expectation.severity == .quarantine && $0.result.failing > 0 }
        let conditions = failing.filter { $0.sql != nil }
        if !conditions.isEmpty {
            let names = conditions.map { "CASE WHEN \($0.breaks) THEN \(SQLText.literal($0.expectation.name)) END" }
            try connection.execute(
                """
                INSERT INTO \(reasons) SELECT __row, expectation FROM (
                  SELECT __row, unnest([\(names.joined(separator: ", "))]) AS expectation
                  FROM \(flagged(conditions, over: rows)) WHERE \(conditions.map(\.breaks).joined(separator: " OR "))
                ) WHERE expectation IS NOT NULL
                """, context: context())
        }
        for item in failing {
            guard let aside = item.aside else { continue }
            try connection.execute(
                "INSERT INTO \(reasons) SELECT __row, \(SQLText.literal(item.expectation.name)) FROM (\(aside))",
                context: context(item.expectation))
        }
    }

    /// Names the expectation where the engine refuses what it asks for.
    private func attribute(_ expectation: Expectation, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as ColumnarFailure {
            throw DatasetsFailure.badExpectation(
                table: table.name, expectation: expectation.name, problem: error.message,
                remedy: error.remedy ?? "Correct the expectation.")
        }
    }
}

extension ExpectationResult {
    enum Example {
        /// A whole row as JSON.
        case row(String)
        /// The values of the columns of a rule, of the row at a position.
        case value([String], JSONValue, at: Int64)
    }

    mutating func partialValues(_ examples: [Example]) {
        result.partialUnexpectedList = examples.map { example in
            switch example {
            case .row(let text): (try? JSON.decode(JSONValue.self, from: text)) ?? .string(text)
            case .value(let names, let row, _):
                switch names.count {
                case 0: row
                case 1: row[names[0]] ?? .null
                case 2 where rule == "compare": .array(names.map { row[$0] ?? .null })
                default: .object(Dictionary(names.map { ($0, row[$0] ?? .null) }) { first, _ in first })
                }
            }
        }
        let positions = examples.compactMap { if case .value(_, _, let position) = $0 { position } else { nil } }
        result.partialUnexpectedIndexList = positions.isEmpty ? nil : positions
        if case .row(let text)? = examples.first { example = text }
    }

    /// Puts what is wrong into words.
    mutating func describe(_ expectation: Expectation) {
        guard expectation.rule.isAboutRows, let unexpected = result.unexpectedCount, unexpected > 0 else { return }
        let considered = rows - (result.missingCount ?? 0)
        let share =
            result.unexpectedPercent.map { $0 < 0.01 ? " (under 0.01 %)" : " (\(($0 * 100).rounded() / 100) %)" } ?? ""
        let allowed = expectation.mostly.map { ", where \($0) must keep it" } ?? ""
        let columns = expectation.rule.columnNames.joined(separator: ", ")
        problem =
            "\(unexpected) of \(considered) rows\(share) break '\(rule)'"
            + (columns.isEmpty ? "" : " of \(columns)") + allowed
    }
}
