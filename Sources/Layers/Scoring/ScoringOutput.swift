import Basics
import Columnar
import Foundation
import SQL

/// Where scored rows go.
public enum ScoringOutput: Sendable, Equatable {
    /// A Parquet file by its ending, else a folder.
    case parquet(String)
    /// A table of a SQLite or PostgreSQL database.
    case database(StoreURL, table: String)

    /// - Parameter table: the database's table.
    /// - Throws: ``ScoringFailure/badOutput(_:reason:)``, `StoreURLFailure`, `SecretFailure`.
    public init(_ text: String, table: String?, secrets: SecretSource) throws {
        if ["sqlite:", "postgresql:", "postgres:"].contains(where: { text.hasPrefix($0) }) {
            let url = try StoreURL(text, secrets: secrets)
            guard let table, !table.isEmpty else {
                throw ScoringFailure.badOutput(url.description, reason: "no table is named")
            }
            self = .database(url, table: table)
        } else {
            guard table == nil else { throw ScoringFailure.badOutput(text, reason: "a table goes with a database") }
            guard !text.isEmpty, !text.contains("://") else {
                throw ScoringFailure.badOutput(text, reason: "it is neither a path nor a database")
            }
            var path = text
            while path.count > 1, path.hasSuffix("/") { path.removeLast() }
            self = .parquet(path)
        }
    }

    /// For messages; without secrets.
    public var place: String {
        switch self {
        case .parquet(let path): path
        case .database(let url, let table): "\(url) table \(table)"
        }
    }

    /// Where the run's own files lie.
    /// - Parameter folder: for outputs that have no place of their own on this machine.
    func state(under folder: String) -> String {
        switch self {
        case .parquet(let path): ParquetSink.state(of: path)
        case .database: "\(folder)/\(Digest(of: place).short)"
        }
    }

    /// Partitions that are as large as is good for it.
    var partitionRows: Int {
        switch self {
        case .parquet: ScoringOptions.partitionRows
        case .database: ScoringOptions.transactionRows
        }
    }

    func sink(_ folder: ScoringFolder, _ engine: ColumnarEngine, overwrite: Bool) async throws -> any TableSink {
        switch self {
        case .parquet(let path): ParquetSink(path, folder, engine, overwrite: overwrite)
        case .database(let url, let table):
            DatabaseSink(database: try await Database.open(url), table: table, overwrite: overwrite)
        }
    }
}
