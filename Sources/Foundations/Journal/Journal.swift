import Basics
import SQL

/// The append-only, hash-chained record of everything that changes production.
///
/// Entries are appended inside the transaction of the change they tell of, so that neither exists without the other.
/// A one-row table names the last entry: without it, cutting off the end of the chain would go unnoticed.
public struct Journal: Sendable {
    let database: Database

    /// - Parameter database: one that `migrations` were applied to.
    public init(_ database: Database) { self.database = database }

    /// The hash before the first entry: the SHA-256 of the ASCII text `modelworks.journal.genesis`.
    public static let genesis = Digest(of: "modelworks.journal.genesis")

    /// The tables of the journal.
    public static let migrations = [
        Migration(
            room: "journal", version: 1,
            sql: """
                CREATE TABLE journal (
                    sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, principal TEXT NOT NULL, type TEXT NOT NULL,
                    subject TEXT NOT NULL, body TEXT NOT NULL, previous_hash TEXT NOT NULL, hash TEXT NOT NULL);
                CREATE INDEX journal_type ON journal (type, sequence);
                CREATE INDEX journal_subject ON journal (subject, sequence);
                CREATE TABLE journal_head (
                    id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL, hash TEXT NOT NULL);
                CREATE TABLE journal_cursors (consumer TEXT PRIMARY KEY, position INTEGER NOT NULL);
                CREATE TRIGGER journal_unchanging BEFORE UPDATE ON journal
                    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
                CREATE TRIGGER journal_undeletable BEFORE DELETE ON journal
                    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
                """),
        Migration(
            room: "journal", version: 2,
            sql: """
                CREATE TABLE journal_checkpoints (
                    sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, hash TEXT NOT NULL, key_id TEXT NOT NULL,
                    signature TEXT NOT NULL);
                CREATE TRIGGER journal_checkpoints_unchanging BEFORE UPDATE ON journal_checkpoints
                    BEGIN SELECT RAISE(ABORT, 'checkpoints of the journal are append-only'); END;
                CREATE TRIGGER journal_checkpoints_undeletable BEFORE DELETE ON journal_checkpoints
                    BEGIN SELECT RAISE(ABORT, 'checkpoints of the journal are append-only'); END;
                """),
    ]

    /// Appends an entry inside the change it tells of.
    ///
    /// The first append of a commit group takes the row that names the last entry until the group ends, so that two
    /// processes that append at once do not take the same sequence, nor commit a later one before an earlier one. Those
    /// that follow in the group find the end in a note of the transaction, which is undone with a change that is undone.
    /// Nothing waits for the server but the first of a group: where the engine refuses an entry, the change fails later.
    /// - Throws: `JournalFailure.body` where the body can not be JSON (a NaN), or the `SQLFailure` of the engine.
    @discardableResult
    public static func append(
        _ draft: JournalDraft, in transaction: Transaction, at time: Timestamp
    ) throws -> JournalEntry {
        guard !draft.principal.isEmpty else { throw JournalFailure.emptyField("principal") }
        guard !draft.type.isEmpty else { throw JournalFailure.emptyField("type") }
        let text: String
        do {
            text = try JSON.string(draft.body)
        } catch {
            throw JournalFailure.body(type: draft.type, reason: "it holds a number that JSON can not express")
        }
        let end = try transaction.note(endNote, as: End.self) ?? take(in: transaction)
        let (sequence, overflow) = end.sequence.addingReportingOverflow(1)
        guard !overflow else { throw JournalFailure.damaged(sequence: end.sequence, reason: "it is the last there is") }
        let hash = JournalEntry.hash(
            sequence: sequence, time: time, principal: draft.principal, type: draft.type, subject: draft.subject,
            bodyText: text, previousHash: end.hash)
        try transaction.executeLater(
            """
            INSERT INTO journal (sequence, time, principal, type, subject, body, previous_hash, hash)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .integer(sequence), .init(time), .text(draft.principal), .text(draft.type), .text(draft.subject),
                .text(text), .init(end.hash), .init(hash),
            ])
        try transaction.executeLater(
            "UPDATE journal_head SET sequence = ?, hash = ? WHERE id = 1", [.integer(sequence), .init(hash)])
        transaction.setNote(endNote, End(sequence: sequence, hash: hash))
        return JournalEntry(
            sequence: sequence, time: time, principal: draft.principal, type: draft.type, subject: draft.subject,
            bodyText: text, previousHash: end.hash, hash: hash)
    }

    /// Appends an entry that tells of no other change, in a transaction of its own.
    @discardableResult
    public func append(_ draft: JournalDraft, at time: Timestamp) async throws -> JournalEntry {
        try await database.write { try Journal.append(draft, in: $0, at: time) }
    }

    /// Entries after a sequence, in order.
    /// - Parameters:
    ///   - sequence: 0 starts at the beginning.
    ///   - limit: at most this many, at least 1.
    ///   - type: only entries of this type.
    ///   - subject: only entries about this subject.
    public func entries(
        after sequence: Int64 = 0, limit: Int = 100, type: String? = nil, subject: String? = nil
    ) async throws -> [JournalEntry] {
        try await database.read {
            try Journal.entries(in: $0, after: sequence, limit: limit, type: type, subject: subject)
        }
    }

    /// The same as `entries(after:limit:type:subject:)`, inside a transaction of the caller.
    public static func entries(
        in transaction: Transaction, after sequence: Int64 = 0, limit: Int = 100, type: String? = nil,
        subject: String? = nil
    ) throws -> [JournalEntry] {
        guard limit > 0 else { throw JournalFailure.limit(limit) }
        var sql = "SELECT * FROM journal WHERE sequence > ?"
        var parameters: [SQLValue] = [.integer(sequence)]
        if let type {
            sql += " AND type = ?"
            parameters.append(.text(type))
        }
        if let subject {
            sql += " AND subject = ?"
            parameters.append(.text(subject))
        }
        parameters.append(.init(limit))
        return try transaction.query(sql + " ORDER BY sequence LIMIT ?", parameters).map(entry)
    }

    /// How many entries there are and the hash of the last: enough to notice later that the journal was replaced.
    public func head() async throws -> (sequence: Int64, hash: Digest) {
        try await database.read { try Journal.end(in: $0) }
    }

    /// The last entry, as a change left it.
    private struct End: Sendable {
        let sequence: Int64
        let hash: Digest
    }

    private static let endNote = "journal.end"

    /// Takes the row that names the last entry, and with it the right to append until the transaction ends.
    private static func take(in transaction: Transaction) throws -> End {
        // A change of nothing, as this locks the row on every engine.
        let take = "UPDATE journal_head SET sequence = sequence WHERE id = 1 RETURNING sequence, hash"
        var rows = try transaction.query(take)
        if rows.isEmpty {
            try transaction.execute(
                "INSERT INTO journal_head (id, sequence, hash) VALUES (1, 0, ?) ON CONFLICT (id) DO NOTHING",
                [.init(genesis)])
            rows = try transaction.query(take)
        }
        guard let row = rows.first else { throw JournalFailure.damaged(sequence: 1, reason: "its end is not recorded") }
        return End(sequence: try row.integer("sequence"), hash: try row.digest("hash"))
    }

    /// The same as ``head()``, inside a transaction of the caller.
    public static func end(in transaction: Transaction) throws -> (sequence: Int64, hash: Digest) {
        guard let row = try transaction.first("SELECT sequence, hash FROM journal_head WHERE id = 1") else {
            return (0, genesis)
        }
        return (try row.integer("sequence"), try row.digest("hash"))
    }

    static func entry(_ row: Row) throws -> JournalEntry {
        JournalEntry(
            sequence: try row.integer("sequence"), time: try row.timestamp("time"),
            principal: try row.string("principal"), type: try row.string("type"), subject: try row.string("subject"),
            bodyText: try row.string("body"), previousHash: try row.digest("previous_hash"),
            hash: try row.digest("hash"))
    }
}
