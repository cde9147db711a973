import Basics

/// One event of one entity. Times are microseconds since 1970.
public struct WindowEvent: Sendable, Hashable {
    /// When it happened.
    public var eventTime: Int64
    /// When it became known; not before `eventTime`.
    public var availableTime: Int64
    /// The order of arrival among the events of equal available time; different for each of them.
    public var sequence: Int64
    /// One per column of the plan, of the column's type or null.
    public var values: [ScalarValue]

    public init(eventTime: Int64, availableTime: Int64, sequence: Int64, values: [ScalarValue]) {
        self.eventTime = eventTime
        self.availableTime = availableTime
        self.sequence = sequence
        self.values = values
    }
}

/// What became of an event that was given to a state.
public enum Insertion: Sendable, Hashable {
    /// It is in one of the windows at least, or will be.
    case counted
    /// It gives a row, but all windows have passed it.
    case outside
    /// It became known more than the plan's lateness after it happened, and was dropped.
    case tooLate
    /// Its available time and sequence are not after those of the newest event: a replay, and without effect.
    case notNewer
}

/// The values of an entity's features from a moment on, until its next row. A later row of the same time replaces it.
public struct WindowRow: Sendable, Hashable {
    /// Why there is a row.
    public enum Cause: Sendable, Hashable {
        /// Events became known.
        case events
        /// A window lost a tile, and a value changed by that.
        case exit
    }

    /// In microseconds since 1970.
    public let time: Int64
    public let cause: Cause
    /// One per feature of the plan.
    public let values: [AggregateValue]

    /// Whether both are of one time and cause and have the same bits.
    public func isIdentical(to other: WindowRow) -> Bool {
        time == other.time && cause == other.cause && values.count == other.values.count
            && zip(values, other.values).allSatisfy { $0.isIdentical(to: $1) }
    }
}
