import Basics

/// Copies whole databases between engines, table by table in order of their primary keys.
///
/// A copy that was broken off goes on behind the last row that the target has. Both databases must have been migrated by
/// the same program, and nothing else may write to either meanwhile.
public struct DatabaseCopy: Sendable {
    private let source: Database
    private let target: Database
    private static let batch = 500
    /// What an engine notes for itself: which commits arrived whose answers were lost.
    private static let engineTables: Set<String> = ["sql_commits"]

    public init(from source: Database, to target: Database) {
        self.source = source
        self.target = target
    }

    /// What the copy of one table came to.
    public struct Outcome: Sendable, Hashable, Codable {
        public let table: String
        public let rows: Int64
        /// Over all rows in order of the primary key, with all columns in order of their names: equal in both databases.
        public let digest: Digest
    }

    /// Copies every table and compares both databases.
    /// - Parameters:
    ///   - leaving: tables that are about processes and not about the factory.
    ///   - progress: told of each table and how many of its rows are there.
    /// - Throws: `SQLFailure.copyDiffers` naming the first table that is not the same on both sides afterwards.
    public func run(
        leaving: Set<String> = [], progress: @escaping @Sendable (String, Int64) -> Void = { _, _ in }
    ) async throws -> [Outcome] {
        let wanted = try await Catalogue.tables(of: source).filter {
            !leaving.contains($0.name) && !Self.engineTables.contains($0.name)
        }
        let present = Dictionary(
            uniqueKeysWithValues: try await Catalogue.tables(of: target).map { ($0.name, $0) })
        var outcomes: [Outcome] = []
        for table in wanted {
            guard present[table.name] == table else {
                throw SQLFailure.copyDiffers(
                    table: table.name, reason: "it is not there with the same columns; run the same modelworks on both")
            }
            // What migrations wrote is in both already.
            if table.name != "schema_migrations" { try await copy(table, progress) }
            let (here, there) = (try await total(of: table, in: source), try await total(of: table, in: target))
            guard table.name == "schema_migrations" || here == there else {
                throw SQLFailure.copyDiffers(
                    table: table.name,
                    reason:
                        "\(here.rows) rows with digest \(here.digest) there, \(there.rows) with \(there.digest) here")
            }
            outcomes.append(here)
        }
        return outcomes
    }

    private func copy(_ table: CopiedTable, _ progress: @Sendable (String, Int64) -> Void) async throws {
        let insert = table.insert
        var last = try await target.read { try table.last(in: $0) }
        var done = try await target.read { try table.count(in: $0) }
        while true {
            let key = last
            let rows = try await source.read { try table.rows(after: key, limit: Self.batch, in: $0) }
            guard let end = rows.last else { return }
            try await target.write { transaction in
                for row in rows { try transaction.execute(insert, row.values) }
            }
            last = end.key
            done += Int64(rows.count)
            progress(table.name, done)
        }
    }

    private func total(of table: CopiedTable, in database: Database) async throws -> Outcome {
        var last: [SQLValue]?
        var rows: Int64 = 0
        var digest = Digest(of: table.name)
        while true {
            let (key, chain) = (last, digest)
            let step = try await database.read { transaction -> (end: [SQLValue]?, rows: Int, digest: Digest) in
                let found = try table.rows(after: key, limit: Self.batch, in: transaction)
                var bytes = Array(chain.hex.utf8)
                for row in found { for value in row.values { value.append(to: &bytes) } }
                return (found.last?.key, found.count, Digest(of: bytes))
            }
            guard let end = step.end else { return Outcome(table: table.name, rows: rows, digest: digest) }
            (last, digest) = (end, step.digest)
            rows += Int64(step.rows)
        }
    }
}

/// A table as its copy sees it.
struct CopiedTable: Sendable, Hashable {
    let name: String
    /// In order of their names.
    let columns: [String]
    /// The columns of the primary key in its order; all columns where there is none.
    let key: [String]

    struct Line: Sendable {
        var values: [SQLValue]
        var key: [SQLValue]
    }

    private static func quoted(_ names: [String], _ suffix: String = "") -> String {
        names.map { "\"\($0)\"\(suffix)" }.joined(separator: ", ")
    }

    private static func marks(_ count: Int) -> String { Array(repeating: "?", count: count).joined(separator: ", ") }

    var insert: String {
        "INSERT INTO \"\(name)\" (\(Self.quoted(columns))) VALUES (\(Self.marks(columns.count))) ON CONFLICT DO NOTHING"
    }

    func rows(after last: [SQLValue]?, limit: Int, in transaction: Transaction) throws -> [Line] {
        let place = last == nil ? "" : " WHERE (\(Self.quoted(key))) > (\(Self.marks(key.count)))"
        return try transaction.query(
            "SELECT * FROM \"\(name)\"\(place) ORDER BY \(Self.quoted(key)) LIMIT \(limit)", last ?? []
        ).map { row in
            Line(values: try columns.map { try row.value($0) }, key: try key.map { try row.value($0) })
        }
    }

    func last(in transaction: Transaction) throws -> [SQLValue]? {
        try transaction.first("SELECT * FROM \"\(name)\" ORDER BY \(Self.quoted(key, " DESC")) LIMIT 1")
            .map { row in try key.map { try row.value($0) } }
    }

    func count(in transaction: Transaction) throws -> Int64 {
        try transaction.first("SELECT count(*) AS n FROM \"\(name)\"")?.integer("n") ?? 0
    }
}

extension SQLValue {
    /// A form that differs for different values: a letter for the kind, then the value with its length.
    fileprivate func append(to bytes: inout [UInt8]) {
        func add(_ kind: Character, _ content: some Sequence<UInt8>, _ count: Int) {
            bytes.append(contentsOf: "\(kind)\(count):".utf8)
            bytes.append(contentsOf: content)
        }
        switch self {
        case .null: add("n", [], 0)
        case .integer(let value):
            let text = "\(value)"
            add("i", text.utf8, text.utf8.count)
        case .double(let value):
            let text = String(value.bitPattern, radix: 16)
            add("d", text.utf8, text.utf8.count)
        case .text(let text): add("t", text.utf8, text.utf8.count)
        case .blob(let content): add("b", content, content.count)
        }
    }
}

/// What tables a database has, in the order they were made, so that rows that others refer to come first.
enum Catalogue {
    static func tables(of database: Database) async throws -> [CopiedTable] {
        let (tables, columns) =
            switch database.engine {
            case .sqlite:
                (
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_sequence' ORDER BY rowid",
                    "SELECT name, pk AS place FROM pragma_table_info(?)"
                )
            case .postgresql:
                (
                    """
                    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = current_schema() AND c.relkind = 'r' ORDER BY c.oid
                    """,
                    """
                    SELECT a.attname AS name, coalesce(array_position(i.indkey::int2[], a.attnum), -1) + 1 AS place
                    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                    JOIN pg_namespace n ON n.oid = c.relnamespace
                    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
                    WHERE n.nspname = current_schema() AND c.relname = ? AND a.attnum > 0 AND NOT a.attisdropped
                    """
                )
            }
        return try await database.read { transaction in
            try transaction.query(tables).map { row in
                let name = try row.string("name")
                let found = try transaction.query(columns, [.text(name)]).map {
                    (name: try $0.string("name"), place: try $0.integer("place"))
                }
                let all = found.map(\.name).sorted()
                let key = found.filter { $0.place > 0 }.sorted { $0.place < $1.place }.map(\.name)
                return CopiedTable(name: name, columns: all, key: key.isEmpty ? all : key)
            }
        }
    }
}
