import Basics

/// How a table is scored.
public struct ScoringOptions: Sendable {
    /// What happens to rows that the model can not be asked.
    public enum OnError: String, Sendable, Codable, CaseIterable {
        /// The run ends with an error that names the row.
        case fail
        /// Their predictions are null, and a column tells why.
        case null
        /// They are written to a side table with the reason.
        case deadLetter = "dead-letter"
    }

    /// Columns of the input that the output has too.
    public enum Keep: Sendable, Codable, Equatable {
        case all
        case columns([String])
    }

    /// How the rows are cut into partitions, each of which is written as a whole.
    public enum Partitions: Sendable {
        case count(Int)
        case rows(Int)
    }

    public var keep = Keep.all
    /// Columns of the table by the name under which the model takes them.
    public var mapping: [String: String] = [:]
    /// The columns that an input without names takes, in its order.
    public var features: [String]?
    /// The model's outputs that are written; nil for all.
    public var outputs: [String]?
    public var partitions: Partitions?
    /// Rows that the model is asked at a time.
    public var batch = 4096
    /// How many batches are in the model at a time.
    public var threads = 1
    public var onError = OnError.fail
    /// Whether another run's rows give way.
    public var overwrite = false
    /// Bytes that the engine of tables may hold.
    public var memoryBytes: Int64 = 1 << 30

    public init() {}

    /// Rows of a partition where nothing is said: whole row groups of the files that this engine writes.
    static let partitionRows = 4 * 122_880
    /// The same where the rows go to a database, one transaction for each partition.
    static let transactionRows = 20_000
}
