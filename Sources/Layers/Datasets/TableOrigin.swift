import Basics

/// Where the rows of a table come from.
public enum TableOrigin: Sendable, Codable, Equatable {
    case files(FileOrigin)
    case postgresql(PostgresOrigin)
    case delta(LakeOrigin)
    case iceberg(LakeOrigin)

    /// The word that lineage tells it by.
    public var kind: String {
        switch self {
        case .files(let files): files.isRemote ? "s3" : "files"
        case .postgresql: "postgresql"
        case .delta: "delta"
        case .iceberg: "iceberg"
        }
    }
}

/// Files of one format: one file, a folder, or a pattern such as `sales/*.parquet` or `sales/**/*.csv`.
public struct FileOrigin: Sendable, Codable, Equatable {
    /// Relative to the factory's data folder, absolute, or `s3://bucket/prefix?endpoint=…`.
    public var path: String
    public var format: TableDefinition.FileFormat
    /// What stands between two values of a CSV line: one character.
    public var delimiter: String

    public init(path: String, format: TableDefinition.FileFormat, delimiter: String = ",") {
        self.path = path
        self.format = format
        self.delimiter = delimiter
    }

    /// Whether the files lie in an object store.
    public var isRemote: Bool { path.hasPrefix("s3://") }
}

/// A table or query of a PostgreSQL database.
public struct PostgresOrigin: Sendable, Codable, Equatable {
    public var address: Address
    public var rows: Rows

    /// How the database is found. A definition never holds a password.
    public enum Address: Sendable, Codable, Equatable {
        case url(String)
        /// The variable that holds the URL.
        case variable(String)
    }

    public enum Rows: Sendable, Codable, Equatable {
        /// `orders` or `shop.orders`.
        case table(String)
        case query(String)
    }

    public init(address: Address, rows: Rows) {
        self.address = address
        self.rows = rows
    }
}

/// A table that keeps a log of its own versions, read as of one of them.
public struct LakeOrigin: Sendable, Codable, Equatable {
    /// The table's folder, relative to the factory's data folder or absolute.
    public var path: String
    public var moment: Moment

    public enum Moment: Sendable, Codable, Equatable {
        case latest
        /// A version of Delta, or the id of a snapshot of Iceberg.
        case version(Int64)
        /// The newest version at this time.
        case time(Timestamp)
    }

    public init(path: String, moment: Moment = .latest) {
        self.path = path
        self.moment = moment
    }
}
