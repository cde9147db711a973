import Basics
import Columnar
import ObjectStorage

/// What differs between two versions of a table.
public struct DatasetDiff: Sendable, Codable, Equatable {
    public var table: String
    public var from: Side
    public var to: Side
    public var columns: [ColumnChange]
    /// How rows were told apart: the key's columns; empty where whole rows were compared.
    public var key: [String]
    public var added: Int64
    public var removed: Int64
    /// Rows with a key of both versions whose other values differ; 0 where whole rows were compared.
    public var changed: Int64
    /// In how many of the changed rows each column differs.
    public var changesByColumn: [String: Int64]
    /// The first few rows of each kind, as JSON.
    public var examples: [Example]

    public struct Side: Sendable, Codable, Equatable {
        public var number: Int64
        public var digest: Digest
        public var rows: Int64
    }

    public struct ColumnChange: Sendable, Codable, Equatable {
        public var name: String
        /// Nil where the column is new.
        public var before: ScalarType?
        /// Nil where the column is gone.
        public var after: ScalarType?
    }

    public struct Example: Sendable, Codable, Equatable {
        /// `added`, `removed` or `changed`.
        public var kind: String
        public var before: JSONValue?
        public var after: JSONValue?
    }

    public var isEmpty: Bool { added == 0 && removed == 0 && changed == 0 && columns.isEmpty }
}

extension DatasetStore {
    /// How many rows of each kind a difference shows.
    private static let examplesMax = 5

    /// Compares two versions of a table, by the newer one's key where both have its columns and each key once.
    ///
    /// - Throws: ``DatasetsFailure/noVersion(reference:known:)``, ``DatasetsFailure/badReference(_:)`` for two tables.
    public func diff(_ from: DatasetReference, _ to: DatasetReference) async throws -> DatasetDiff {
        guard from.table == to.table else { throw DatasetsFailure.badReference("\(from) and \(to)") }
        let (before, after) = (try await version(from), try await version(to))
        let comparison = Comparison(
            before: try await side(before), after: try await side(after), context: "data/\(from.table)")
        var diff = DatasetDiff(
            table: from.table, from: .init(number: before.number, digest: before.digest, rows: before.rows),
            to: .init(number: after.number, digest: after.digest, rows: after.rows), columns: comparison.schemaChanges,
            key: [], added: 0, removed: 0, changed: 0, changesByColumn: [:], examples: [])
        guard before.digest != after.digest else { return diff }
        let key = after.key
        if !key.isEmpty, key.allSatisfy(comparison.shared.contains), try await isUnique(key, comparison) {
            diff.key = key
            try await compare(comparison, by: key, &diff)
        } else {
            try await compare(comparison, &diff)
        }
        return diff
    }

    private struct Side {
        let query: String
        let schema: [TableDefinition.ColumnDefinition]
    }

    private struct Comparison {
        let before: Side
        let after: Side
        let context: String

        /// Columns of both versions, of the same type.
        var shared: [String] {
            let types = Dictionary(before.schema.map { ($0.name, $0.type) }) { first, _ in first }
            return after.schema.filter { types[$0.name] == $0.type }.map(\.name)
        }

        var schemaChanges: [DatasetDiff.ColumnChange] {
            let old = Dictionary(before.schema.map { ($0.name, $0.type) }) { first, _ in first }
            let new = Dictionary(after.schema.map { ($0.name, $0.type) }) { first, _ in first }
            let names = before.schema.map(\.name) + after.schema.map(\.name).filter { old[$0] == nil }
            return names.filter { old[$0] != new[$0] }.map { .init(name: $0, before: old[$0], after: new[$0]) }
        }
    }

    private func side(_ version: DatasetVersion) async throws -> Side {
        let path = try await objects.localPath(version.digest)
        let query = "read_parquet(\(SQLText.literal(path.engineLiteral)))"
        guard version.schema.isEmpty else { return Side(query: query, schema: version.schema) }
        // The record of an earlier release tells no schema; the file does.
        let found = try await engine.query("DESCRIBE SELECT * FROM \(query)", context: "data/\(version.table)")
        let types = Dictionary(ScalarType.allCases.map { ($0.sqlType, $0) }) { first, _ in first }
        let schema = zip(try found.strings("column_name"), try found.strings("column_type")).compactMap {
            name, type in
            name.flatMap { name in
                type.flatMap { types[$0] }.map { TableDefinition.ColumnDefinition(name: name, type: $0) }
            }
        }
        return Side(query: query, schema: schema)
    }

    private func isUnique(_ key: [String], _ comparison: Comparison) async throws -> Bool {
        let names = key.map(SQLText.identifier).joined(separator: ", ")
        for side in [comparison.before, comparison.after] {
            let found = try await engine.query(
                "SELECT count(*) AS n FROM (SELECT 1 FROM \(side.query) GROUP BY \(names) HAVING count(*) > 1 LIMIT 1)",
                context: comparison.context)
            if try found.count("n") > 0 { return false }
        }
        return true
    }

    private func compare(_ comparison: Comparison, by key: [String], _ diff: inout DatasetDiff) async throws {
        let values = comparison.shared.filter { !key.contains($0) }
        func differs(_ name: String) -> String {
            "b.\(SQLText.identifier(name)) IS DISTINCT FROM a.\(SQLText.identifier(name))"
        }
        let changed = values.isEmpty ? "false" : values.map(differs).joined(separator: " OR ")
        let join = key.map { "b.\(SQLText.identifier($0)) IS NOT DISTINCT FROM a.\(SQLText.identifier($0))" }
        let rows = """
            (SELECT true AS __there, * FROM \(comparison.before.query)) AS b
            FULL JOIN (SELECT true AS __there, * FROM \(comparison.after.query)) AS a
            ON \(join.joined(separator: " AND "))
            """
        let both = "b.__there AND a.__there"
        let columns = values.enumerated().map { "count(*) FILTER (WHERE \(both) AND \(differs($1))) AS c\($0)" }
        let counts = try await engine.query(
            """
            SELECT \((["count(*) FILTER (WHERE b.__there IS NULL) AS added",
                "count(*) FILTER (WHERE a.__there IS NULL) AS removed",
                "count(*) FILTER (WHERE \(both) AND (\(changed))) AS changed"] + columns).joined(separator: ", "))
            FROM \(rows)
            """, context: comparison.context)
        diff.added = try counts.count("added")
        diff.removed = try counts.count("removed")
        diff.changed = try counts.count("changed")
        for (index, name) in values.enumerated() {
            let count = try counts.count("c\(index)")
            if count > 0 { diff.changesByColumn[name] = count }
        }
        func side(_ letter: String, _ schema: [TableDefinition.ColumnDefinition]) -> String {
            "CAST(to_json({\(schema.map { "\(SQLText.literal($0.name)): \(letter).\(SQLText.identifier($0.name))" }.joined(separator: ", "))}) AS VARCHAR)"
        }
        let order = key.map { "coalesce(b.\(SQLText.identifier($0)), a.\(SQLText.identifier($0)))" }
        for (kind, condition) in [
            ("added", "b.__there IS NULL"), ("removed", "a.__there IS NULL"), ("changed", "\(both) AND (\(changed))"),
        ] {
            let found = try await engine.query(
                """
                SELECT CASE WHEN b.__there THEN \(side("b", comparison.before.schema)) END AS before,
                  CASE WHEN a.__there THEN \(side("a", comparison.after.schema)) END AS after
                FROM \(rows) WHERE \(condition) ORDER BY \(order.joined(separator: ", ")) LIMIT \(Self.examplesMax)
                """, context: comparison.context)
            try add(kind, found.strings("before"), found.strings("after"), &diff)
        }
    }

    /// Compares whole rows, each as often as it occurs, by the columns of both versions.
    private func compare(_ comparison: Comparison, _ diff: inout DatasetDiff) async throws {
        let names = comparison.shared.map(SQLText.identifier).joined(separator: ", ")
        guard !names.isEmpty else {
            (diff.added, diff.removed) = (diff.to.rows, diff.from.rows)
            return
        }
        func except(_ one: Side, _ other: Side) -> String {
            "SELECT \(names) FROM \(one.query) EXCEPT ALL SELECT \(names) FROM \(other.query)"
        }
        let (added, removed) = (
            except(comparison.after, comparison.before), except(comparison.before, comparison.after)
        )
        let counts = try await engine.query(
            "SELECT (SELECT count(*) FROM (\(added))) AS added, (SELECT count(*) FROM (\(removed))) AS removed",
            context: comparison.context)
        diff.added = try counts.count("added")
        diff.removed = try counts.count("removed")
        for (kind, query) in [("added", added), ("removed", removed)] {
            let texts = try await engine.query(
                "SELECT CAST(to_json(r) AS VARCHAR) AS row FROM (\(query) ORDER BY ALL LIMIT \(Self.examplesMax)) AS r",
                context: comparison.context
            ).strings("row")
            let none = texts.map { _ in String?.none }
            try kind == "added" ? add(kind, none, texts, &diff) : add(kind, texts, none, &diff)
        }
    }

    private func add(_ kind: String, _ before: [String?], _ after: [String?], _ diff: inout DatasetDiff) throws {
        for (old, new) in zip(before, after) {
            diff.examples.append(
                .init(
                    kind: kind, before: try old.map { try JSON.decode(JSONValue.self, from: $0) },
                    after: try new.map { try JSON.decode(JSONValue.self, from: $0) }))
        }
    }
}
