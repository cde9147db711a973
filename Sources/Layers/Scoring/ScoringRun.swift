import Basics

/// What a scoring run does, written down before its first row, so that one that ended early can be carried on and no
/// other is mistaken for it.
public struct ScoringRun: Sendable, Codable, Equatable {
    /// The form written today.
    static let currentFormat = 1

    /// What decides the rows of the output.
    public struct Plan: Sendable, Codable, Equatable {
        /// Where the rows come from, without secrets.
        public var input: String
        /// Of the input's files, or of the copy of a query's rows.
        public var inputDigest: Digest
        public var rows: Int64
        public var partitionRows: Int64
        public var model: String
        public var version: String
        public var modelDigest: Digest
        public var keep: ScoringOptions.Keep
        /// The columns that go into the model, in its order.
        public var features: [String]
        /// The columns that its answers become.
        public var predictions: [String]
        public var onError: ScoringOptions.OnError

        /// The row ranges of the partitions; one of no rows for an empty table.
        var partitions: [Range<Int64>] {
            guard rows > 0 else { return [0..<0] }
            return stride(from: 0, to: rows, by: Int(clamping: max(1, partitionRows))).map {
                $0..<min(rows, $0 + max(1, partitionRows))
            }
        }

        /// What differs from another plan, in words.
        func differences(from other: Plan) -> [String] {
            var words: [String] = []
            if input != other.input || inputDigest != other.inputDigest || rows != other.rows { words.append("input") }
            if (model, version, modelDigest) != (other.model, other.version, other.modelDigest) {
                words.append("model")
            }
            if partitionRows != other.partitionRows { words.append("size of partitions") }
            if keep != other.keep { words.append("choice of columns to keep") }
            if features != other.features { words.append("choice of features") }
            if predictions != other.predictions { words.append("choice of outputs") }
            if onError != other.onError { words.append("treatment of errors") }
            return words
        }
    }

    var format = ScoringRun.currentFormat
    /// Stamped on each row.
    public var id: String
    public var plan: Plan
    public var started: Timestamp
    public var finished: Timestamp?

    init(id: String, plan: Plan, started: Timestamp) {
        self.id = id
        self.plan = plan
        self.started = started
    }
}

/// What a scoring run did.
public struct ScoringReport: Sendable, Codable, Equatable {
    public var run: String
    public var output: String
    public var model: String
    public var version: String
    /// Rows of the input.
    public var rows: Int64
    /// Rows that this call put before the model.
    public var scored: Int64
    /// Rows that the model could not be asked, in this call.
    public var refused: Int64
    /// Answers of this call that were no numbers, and are nulls in the output.
    public var notNumbers: Int64
    public var partitions: Int
    /// Partitions that were there already.
    public var resumed: Int
    public var seconds: Double
    public var rowsPerSecond: Double
}
