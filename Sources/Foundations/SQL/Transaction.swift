import Basics

/// What a room may do inside one read or one change. It lives as long as the closure it is handed to.
///
/// Parameters are written `?` and given in order. After a statement failed the transaction takes no further one: the
/// closure must throw. A closure may be run again when the engine lost its work, so it does nothing outside.
public final class Transaction {
    private let session: any Session
    private let writable: Bool
    private var ended = false
    /// Why a statement failed, which ends the use of this transaction.
    private(set) var failure: SQLFailure?

    init(_ session: any Session, writable: Bool) {
        self.session = session
        self.writable = writable
    }

    func end() { ended = true }

    /// Runs one statement that changes rows or the schema.
    /// - Returns: how many rows an INSERT, UPDATE or DELETE changed, 0 for other statements.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [SQLValue] = []) throws -> Int {
        try run(sql, parameters, .none) { _ in }
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
