import Basics
import SQL

extension Journal {
    /// The next entries for a consumer, and its cursor moved past them, all in the consumer's own transaction: what the
    /// consumer does with them and that it has seen them are committed together, so each entry has its effect once.
    /// - Parameters:
    ///   - consumer: the name the cursor is kept under.
    ///   - limit: at most this many, at least 1.
    ///   - transaction: a write of the consumer.
    /// - Returns: the entries in order; empty when the consumer has seen everything.
    public static func consume(
        _ consumer: String, limit: Int, in transaction: Transaction
    ) throws -> [JournalEntry] {
        guard limit > 0 else { throw JournalFailure.limit(limit) }
        let seen = try position(of: consumer, in: transaction)
        if try entries(in: transaction, after: seen, limit: 1).isEmpty { return [] }
        // Another process may consume under the same name: the row of the cursor is taken before the entries are read
        // for good, so that the second finds it moved.
        try transaction.execute(
            "INSERT INTO journal_cursors (consumer, position) VALUES (?, ?) ON CONFLICT (consumer) DO NOTHING",
            [.text(consumer), .integer(seen)])
        let taken = try transaction.query(
            "UPDATE journal_cursors SET position = position WHERE consumer = ? RETURNING position", [.text(consumer)])
        let batch = try entries(
            in: transaction, after: try taken.first?.integer("position") ?? seen, limit: limit)
        if let last = batch.last { try move(consumer, to: last.sequence, in: transaction) }
        return batch
    }

    /// The sequence of the last entry a consumer has seen; 0 before the first.
    public static func position(of consumer: String, in transaction: Transaction) throws -> Int64 {
        try transaction.first("SELECT position FROM journal_cursors WHERE consumer = ?", [.text(consumer)])?
            .integer("position") ?? 0
    }

    /// Sets a consumer's cursor: forward to skip entries, back to see them again.
    public static func move(_ consumer: String, to sequence: Int64, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO journal_cursors (consumer, position) VALUES (?, ?)
            ON CONFLICT (consumer) DO UPDATE SET position = excluded.position
            """, [.text(consumer), .integer(sequence)])
    }
}
