import Basics

extension ScalarType {
    /// The type's name in the offline engine.
    public var sqlType: String {
        switch self {
        case .integer: "BIGINT"
        case .double: "DOUBLE"
        case .float: "FLOAT"
        case .string: "VARCHAR"
        case .timestamp: "TIMESTAMP"
        case .boolean: "BOOLEAN"
        }
    }
}

/// A raw table read from a file.
public struct TableDefinition: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var format: FileFormat
    /// Relative to the factory's data folder.
    public var path: String
    /// Texts that stand for a missing value.
    public var nulls: [String]
    /// The digest the file must have, where it is pinned.
    public var sha256: Digest?
    public var columns: [ColumnDefinition]
    public var key: [String]
    public var expectations: [Expectation]

    public enum FileFormat: String, Sendable, Codable, CaseIterable { case csv, parquet, json }

    public struct ColumnDefinition: Sendable, Codable, Equatable {
        public var name: String
        public var type: ScalarType

        public init(name: String, type: ScalarType) {
            self.name = name
            self.type = type
        }
    }
}
