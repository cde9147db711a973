import Basics

/// The type of a column in a table, as written in a factory's YAML.
public enum ColumnKind: String, Sendable, Codable, CaseIterable {
    case integer, double, string, timestamp, boolean

    /// The type's name in the offline engine.
    public var sqlType: String {
        switch self {
        case .integer: "BIGINT"
        case .double: "DOUBLE"
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
        public var kind: ColumnKind

        public init(name: String, kind: ColumnKind) {
            self.name = name
            self.kind = kind
        }
    }
}

/// A statement about a table that is checked before anything may read it.
public struct Expectation: Sendable, Codable, Equatable {
    public var name: String
    public var severity: Severity
    public var rule: Rule

    /// What happens to a table in which rows break the rule.
    public enum Severity: String, Sendable, Codable, CaseIterable {
        /// The ingest stops before compute is spent; the last good version stays.
        case stop
        /// The rows are left out of the dataset version and kept aside with the reason.
        case quarantine
        /// The rows stay; the count is reported.
        case warn
    }

    public enum Rule: Sendable, Codable, Equatable {
        case notNull([String])
        case between(column: String, minimum: Double?, maximum: Double?)
        case inSet(column: String, values: [String])
        case matches(column: String, pattern: String)
        case unique([String])
        case rowCount(minimum: Int64?, maximum: Int64?)
        /// A boolean expression over the columns of one row; null counts as kept.
        case sql(String)
        case nullFraction(column: String, maximum: Double)
    }
}

/// A stream of facts with the moment each became knowable: what views are computed from.
public struct EventsDefinition: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    /// The query's text.
    public var sql: String
    public var eventTime: String
    public var availableAt: String
}

/// What a feature describes.
public struct Entity: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var joinKeys: [String]
}

/// Feature values by entity and time, computed by SQL from event sources.
public struct FeatureView: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    public var entities: [String]
    public var joinKeys: [String]
    public var sources: [String]
    public var sql: String
    public var eventTime: String
    /// How long a value may be used after its event time, in seconds; the window is closed at both ends.
    public var ttlSeconds: Int64
    /// The distance of the grid the view is published on, in seconds.
    public var everySeconds: Int64
    public var freshness: String
    /// In the order of the definition.
    public var features: [String]

    /// The digest of everything that decides its values but the data.
    func digest(sources: [Digest]) throws -> Digest {
        struct Content: Codable {
            var view: FeatureView
            var sources: [Digest]
        }
        return Digest(of: try JSON.canonical(Content(view: self, sources: sources)))
    }
}

/// The ordered list of features that a model version pins.
public struct FeatureService: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    /// Values the caller sends with the request.
    public var request: [String]
    /// Views with the features taken from each, in order.
    public var views: [Selection]

    public struct Selection: Sendable, Codable, Equatable {
        public var view: String
        public var features: [String]
    }

    /// Names of the model's inputs in order: request features first, then `view__feature`.
    public var inputNames: [String] {
        request + views.flatMap { selection in selection.features.map { "\(selection.view)__\($0)" } }
    }
}
