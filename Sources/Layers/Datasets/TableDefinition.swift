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

/// Raw rows, where they come from, and what must hold of them.
public struct TableDefinition: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var origin: TableOrigin
    /// Texts that stand for a missing value.
    public var nulls: [String]
    /// The digest the one file must have, where it is pinned.
    public var sha256: Digest?
    public var columns: [ColumnDefinition]
    public var key: [String]
    /// The column by which the range of a version is told; the first timestamp where none is named.
    public var time: String?
    /// Whether a version without rows is right.
    public var mayBeEmpty: Bool
    public var expectations: [Expectation]

    public init(
        name: String, owner: String, description: String, origin: TableOrigin, nulls: [String] = [],
        sha256: Digest? = nil, columns: [ColumnDefinition], key: [String] = [], time: String? = nil,
        mayBeEmpty: Bool = false, expectations: [Expectation] = []
    ) {
        self.name = name
        self.owner = owner
        self.description = description
        self.origin = origin
        self.nulls = nulls
        self.sha256 = sha256
        self.columns = columns
        self.key = key
        self.time = time
        self.mayBeEmpty = mayBeEmpty
        self.expectations = expectations
    }

    public enum FileFormat: String, Sendable, Codable, CaseIterable { case csv, parquet, json }

    public struct ColumnDefinition: Sendable, Codable, Equatable {
        public var name: String
        public var type: ScalarType

        public init(name: String, type: ScalarType) {
            self.name = name
            self.type = type
        }
    }

    /// The column whose least and greatest value are a version's range; nil where the table has no times.
    public var rangeColumn: String? { time ?? columns.first { $0.type == .timestamp }?.name }

    /// Reads a file in place of the source that is defined, in the defined format of files or the one its name tells.
    mutating func read(_ file: String) {
        sha256 = nil
        if case .files(let defined) = origin {
            origin = .files(FileOrigin(path: file, format: defined.format, delimiter: defined.delimiter))
        } else {
            origin = .files(FileOrigin(path: file, format: FileFormat.of(file) ?? .csv))
        }
    }
}
