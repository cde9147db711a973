import Basics

/// What a room may do inside one read or one change. It lives as long as the closure it is handed to.
///
/// Parameters are written `?` and given in order. After a statement failed the transaction takes no further one: the
/// closure must throw. A closure may be run again when the engine lost its work, so it does nothing outside.
public final class Transaction {
    private let session: any Session
    private let writable: Bool
    private let notes: GroupNotes?
    private var ended = false
    /// Why a statement failed, which ends the use of this transaction.
    private(set) var failure: SQLFailure?

    /// - Parameter notes: those of the group that a change is part of; nil for a read.
    init(_ session: any Session, writable: Bool, notes: GroupNotes? = nil) {
        self.session = session
        self.writable = writable
        self.notes = notes
    }

    func end() { ended = true }

    /// Runs one statement that changes rows or the schema.
    /// - Returns: how many rows an INSERT, UPDATE or DELETE changed, 0 for other statements.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [SQLValue] = []) throws -> Int {
        try run(sql, parameters, .none) { _ in }
    }

    /// Runs one statement whose count nobody asks for. On a server it travels with the next one, or with the end of the
    /// group that the change is committed with, and so costs no wait of its own; its failure shows there and undoes this
    /// change alone. Changes that followed it in the group are then run again.
    public func executeLater(_ sql: String, _ parameters: [SQLValue] = []) throws {
        guard writable else {
            try execute(sql, parameters)
            return
        }
        try run(sql, parameters, .later) { _ in }
    }

    /// What this change, or an earlier one of the group it is committed with, noted under a key.
    ///
    /// It saves reading again what only the writers of the database can have changed: they take turns by groups, so what
    /// was read or written in a group stays true until the group ends. A note of a change that is undone is undone with
    /// it. Name a key after the room, such as `journal.end`, and let nothing but its keeper write the rows it stands for.
    /// - Returns: nil where there is none or it has another type, as in every read and every first change of a group.
    public func note<Value: Sendable>(_ key: String, as type: Value.Type = Value.self) -> Value? {
        ended ? nil : notes?.values[key] as? Value
    }

    /// Notes a value for the rest of this change and those that follow in its group; nil removes it. See `note(_:as:)`.
    public func setNote(_ key: String, _ value: (any Sendable)?) {
        if !ended { notes?.values[key] = value }
    }

    /// Runs several statements without parameters, separated by semicolons.
    public func script(_ sql: String) throws {
        try guarded(sql) { try session.script(sql) }
    }

    /// All rows of a statement.
    public func query(_ sql: String, _ parameters: [SQLValue] = []) throws -> [Row] {
        var rows: [Row] = []
        try run(sql, parameters, .all) { rows.append($0) }
        return rows
    }

    /// The first row of a statement, or nil where it has none.
    public func first(_ sql: String, _ parameters: [SQLValue] = []) throws -> Row? {
        var found: Row?
        try run(sql, parameters, .first) { if found == nil { found = $0 } }
        return found
    }

    /// Hands over the rows of a statement one at a time, so that memory stays bounded. Throwing from `body` stops it.
    public func forEach(_ sql: String, _ parameters: [SQLValue] = [], _ body: (Row) throws -> Void) throws {
        try run(sql, parameters, .stream, body)
    }

    /// The clock that all users of this database share: PostgreSQL's own, or `time` for a file on this machine.
    func clock(_ time: any TimeSource) throws -> Timestamp {
        try guarded("the clock") { try session.clock(time) }
    }

    @discardableResult
    private func run(
        _ sql: String, _ parameters: [SQLValue], _ want: Want, _ body: (Row) throws -> Void
    ) throws -> Int {
        // What the caller's own closure throws is no failure of the statement.
        var own: (any Error)?
        let changes = try guarded(sql) {
            do {
                return try session.run(sql, parameters, want) { row in
                    do { try body(row) } catch {
                        own = error
                        throw Stopped()
                    }
                }
            } catch is Stopped {
                return 0
            }
        }
        if let own { throw own }
        return changes
    }

    private struct Stopped: Error {}

    private func guarded<Value>(_ sql: String, _ body: () throws -> Value) throws -> Value {
        guard !ended else { throw SQLFailure.transactionEnded }
        if let failure { throw SQLFailure.transactionFailed(reason: failure.message) }
        do {
            return try body()
        } catch SQLFailure.readOnly where !writable {
            failure = .writeInRead(sql: sql)
            throw SQLFailure.writeInRead(sql: sql)
        } catch let error as SQLFailure {
            failure = error
            throw error
        }
    }
}

@available(*, unavailable, message: "a transaction stays in its closure")
extension Transaction: Sendable {}
