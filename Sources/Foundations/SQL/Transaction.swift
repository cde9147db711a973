import Basics

/// What a room may do inside one read or one change. It lives as long as the closure it is handed to.
///
/// Parameters are written `?` and given in order.
public final class Transaction {
    private let connection: Connection
    private let writable: Bool
    private var ended = false

    init(_ connection: Connection, writable: Bool) {
        self.connection = connection
        self.writable = writable
    }

    func end() { ended = true }

    /// Runs one statement that changes rows or the schema.
    /// - Returns: how many rows an INSERT, UPDATE or DELETE changed.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [SQLValue] = []) throws -> Int {
        try forEach(sql, parameters) { _ in }
        return connection.changes
    }

    /// Runs several statements without parameters, separated by semicolons.
    public func script(_ sql: String) throws {
        try check()
        try translate(sql) { try connection.script(sql) }
    }

    /// All rows of a statement.
    public func query(_ sql: String, _ parameters: [SQLValue] = []) throws -> [Row] {
        var rows: [Row] = []
        try forEach(sql, parameters) { rows.append($0) }
        return rows
    }

    /// The first row of a statement, or nil where it has none.
    public func first(_ sql: String, _ parameters: [SQLValue] = []) throws -> Row? {
        try check()
        var found: Row?
        do {
            try translate(sql) {
                try connection.run(sql, parameters, screened: true) {
                    found = $0
                    throw Enough()
                }
            }
        } catch is Enough {}
        return found
    }

    /// Hands over the rows of a statement one at a time, so that memory stays bounded. Throwing from `body` stops it.
    public func forEach(_ sql: String, _ parameters: [SQLValue] = [], _ body: (Row) throws -> Void) throws {
        try check()
        try translate(sql) { try connection.run(sql, parameters, screened: true, body) }
    }

    private struct Enough: Error {}

    private func check() throws {
        guard !ended else { throw SQLFailure.transactionEnded }
    }

    private func translate(_ sql: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch SQLFailure.readOnly where !writable {
            throw SQLFailure.writeInRead(sql: sql)
        }
    }
}

@available(*, unavailable, message: "a transaction stays in its closure")
extension Transaction: Sendable {}
