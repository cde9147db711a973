import Basics
import Datasets

/// Where the rows that are scored come from.
public enum ScoringInput: Sendable, Equatable {
    /// A file, a folder or a pattern, here or in an object store.
    case files(FileOrigin)
    /// A SELECT of the engine of tables, which may name files: `SELECT * FROM 'rows.parquet' WHERE …`.
    case query(String)
    /// A SELECT of a SQLite or PostgreSQL database.
    case database(StoreURL, query: String)

    /// Reads what people write: a path, `s3://…`, `sql:SELECT …`, or a database's address with a query or a table.
    /// - Parameters:
    ///   - query: for databases.
    ///   - table: a database's table, in place of a query.
    /// - Throws: ``ScoringFailure``, `StoreURLFailure`, `SecretFailure`.
    public init(_ text: String, query: String?, table: String?, secrets: SecretSource) throws {
        let isDatabase = ["sqlite:", "postgresql:", "postgres:"].contains { text.hasPrefix($0) }
        guard isDatabase || (query == nil && table == nil) else {
            throw ScoringFailure.badOptions(
                "a query or table goes with the address of a database, and '\(text)' is none",
                remedy: "Write sqlite:FILE or postgresql://HOST/DATABASE, or --input 'sql:SELECT …'.")
        }
        if isDatabase {
            switch (query, table) {
            case (let query?, nil): self = .database(try StoreURL(text, secrets: secrets), query: Self.single(query))
            case (nil, let table?):
                let names = table.split(separator: ".").map { "\"\($0.replacing("\"", with: "\"\""))\"" }
                self = .database(
                    try StoreURL(text, secrets: secrets), query: "SELECT * FROM \(names.joined(separator: "."))")
            default:
                throw ScoringFailure.badOptions(
                    "the address of a database says not which rows are meant",
                    remedy: "Give either --query or --input-table.")
            }
        } else if text.hasPrefix("sql:") {
            self = .query(Self.single(String(text.dropFirst("sql:".count))))
        } else {
            let plain = text.split(separator: "?").first.map(String.init) ?? ""
            // A folder does not tell what its files are: Parquet, where a pattern or name says no other.
            let format = TableDefinition.FileFormat.of(text.hasPrefix("s3://") ? plain : text) ?? .parquet
            let isTabbed = plain.hasSuffix(".tsv") || plain.hasSuffix(".tsv.gz")
            self = .files(FileOrigin(path: text, format: format, delimiter: isTabbed ? "\t" : ","))
        }
    }

    /// What stands in the run's record; without secrets.
    var place: String {
        switch self {
        case .files(let origin): origin.path
        case .query(let sql): "sql:\(sql)"
        case .database(let url, let query): "\(url) \(query)"
        }
    }

    private static func single(_ sql: String) -> String {
        var text = sql[...]
        while let last = text.last, last == ";" || last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
