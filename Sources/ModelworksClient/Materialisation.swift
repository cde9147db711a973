import Basics

/// What a materialisation did.
public struct Materialisation: Sendable, Decodable {
    /// What it did for one view.
    public struct View: Sendable, Decodable {
        public let view: String
        /// Rows that were written.
        public let written: Int
        /// Rows that were not, because the store holds newer ones.
        public let skipped: Int
        /// Rows that name no entity, because a join key is null.
        public let keyless: Int
        /// Whether it went on where an earlier one had ended.
        public let resumed: Bool
        public let seconds: Double
    }

    /// How far it is.
    public struct Progress: Sendable, Decodable {
        /// The view that is being written.
        public let view: String
        /// Rows looked at, of all views so far.
        public let done: Int
        /// Rows to look at, of the views so far and the present one.
        public let total: Int
    }

    public let from: Timestamp?
    public let to: Timestamp
    public let views: [View]
    public let warnings: [String]
    public let seconds: Double
    public let rowsPerSecond: Double
}

/// What became of rows that were written to a view.
public struct WrittenRows: Sendable, Decodable {
    public let view: String
    public let written: Int
    /// Rows that were not written, because the store holds newer ones.
    public let skipped: Int
    /// Columns that the view does not have.
    public let ignored: [String]
}

/// What became of events that were pushed to a stream.
public struct PushedEvents: Sendable, Decodable {
    public let source: String
    public let events: Int
    /// Whether values computed from the events can be read online already.
    public let isApplied: Bool
    /// Columns that the stream does not declare.
    public let ignored: [String]
}

/// Where pushed events go.
public enum PushTarget: String, Sendable, Encodable {
    case online, offline
    case both = "online_and_offline"
}
