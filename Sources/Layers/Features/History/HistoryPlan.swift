import Basics

/// A point-in-time join of entity rows with the histories of views, in no engine's language.
///
/// The entity rows are a table with all their columns and two more: ``row``, their place from 0 on, and ``moment``, the
/// time each asks for, a TIMESTAMP in UTC that is never null. A history is as ``HistoryPruning`` leaves it: of one entity no
/// two rows have the same `asOf`, and the later of two rows in `asOf` is not the older in event time.
///
/// A row's values come from the history row with equal keys and the greatest `asOf` that is not after the moment, where
/// its event time is not before the moment by more than the ttl. Rows without such a row, or with a null key, are kept
/// with nulls; so are rows that are the same.
public struct HistoryPlan: Sendable, Codable, Equatable {
    /// The column with an entity row's place, from 0 on.
    public static let row = "__row"
    /// The column with the time an entity row asks for.
    public static let moment = "__time"

    /// A join key: the history's column, and what the entity rows call it.
    public struct Key: Sendable, Codable, Equatable {
        public var column: String
        public var entityColumn: String
        /// Whether the entity rows hold whole numbers as floating point where the history holds integers.
        public var isWholeNumber: Bool

        public init(column: String, entityColumn: String, isWholeNumber: Bool = false) {
            self.column = column
            self.entityColumn = entityColumn
            self.isWholeNumber = isWholeNumber
        }
    }

    /// A feature: the history's column, and what the result calls it.
    public struct Output: Sendable, Codable, Equatable {
        public var column: String
        public var name: String

        public init(column: String, name: String) {
            self.column = column
            self.name = name
        }
    }

    /// One view under one name. A view may be joined several times by other keys.
    public struct Join: Sendable, Codable, Equatable {
        public var name: String
        public var keys: [Key]
        /// The history's column that the moment is compared with: when a row became knowable.
        public var asOf: String
        /// The history's column that the ttl counts from.
        public var eventTime: String
        /// Seconds; nil is for ever.
        public var ttlSeconds: Int64?
        public var outputs: [Output]
        /// Whether the entity rows are few beside the history, so that only their entities' rows are worth ordering.
        public var isSparse: Bool

        public init(
            name: String, keys: [Key], asOf: String, eventTime: String, ttlSeconds: Int64?, outputs: [Output],
            isSparse: Bool = false
        ) {
            self.name = name
            self.keys = keys
            self.asOf = asOf
            self.eventTime = eventTime
            self.ttlSeconds = ttlSeconds
            self.outputs = outputs
            self.isSparse = isSparse
        }
    }

    /// The columns of the entity rows that the result keeps, in order, before the features.
    public var columns: [String]
    public var joins: [Join]
    /// The first and last moment among the entity rows, where they are known: what lies outside can not be used.
    public var bounds: ClosedRange<Timestamp>?

    public init(columns: [String], joins: [Join], bounds: ClosedRange<Timestamp>? = nil) {
        self.columns = columns
        self.joins = joins
        self.bounds = bounds
    }

    /// The columns of the result, in order.
    public var resultColumns: [String] { columns + joins.flatMap { $0.outputs.map(\.name) } }
}

/// A language that a plan can be said in.
public protocol HistoryDialect: Sendable {
    /// One query that gives ``HistoryPlan/resultColumns``.
    ///
    /// - Parameters:
    ///   - entities: the entity rows, as a table of this language.
    ///   - histories: the history of each join, in order, as tables of this language.
    ///   - keepsRow: puts ``HistoryPlan/row`` first and leaves the order open; else rows come in their order.
    func query(_ plan: HistoryPlan, entities: String, histories: [String], keepsRow: Bool) -> String
}

extension HistoryPlan.Join {
    /// Longer than that is for ever: 95,000 years, so that no time of an engine overflows.
    var boundedTTL: Int64? { ttlSeconds.flatMap { $0 < 3_000_000_000_000 ? $0 : nil } }
}
