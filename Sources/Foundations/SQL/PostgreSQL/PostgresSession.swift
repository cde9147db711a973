import Basics
import CPostgreSQL

/// Runs statements on one connection. What is only queued travels with the next statement and costs no round trip of
/// its own: the beginnings and ends of transactions and changes. Used by one thread at a time.
final class PostgresSession: Session {
    /// What broke more than one statement.
    enum Breakage {
        /// The connection is gone.
        case lost(SQLFailure)
        /// The whole transaction may succeed when it is run again.
        case retry(SQLFailure)
        /// The transaction itself could not go on.
        case transaction(SQLFailure)

        var failure: SQLFailure {
            switch self {
            case .lost(let failure), .retry(let failure), .transaction(let failure): failure
            }
        }
    }

    /// What is to be told of a change whose statement failed.
    struct Refusal {
        let change: Int
        let failure: SQLFailure
    }

    let connection: PostgresConnection
    private(set) var breakage: Breakage? {
        didSet { if case .lost? = breakage { isDead = true } }
    }
    /// Whether the connection is of no more use, also where it is merely not answered on.
    private var isDead = false
    private let address: PostgresAddress
    private var queue: [PostgresCommand] = []
    /// The change whose statements are queued now.
    private var change = 0
    /// The change whose statement failed, which need not be the one that runs: statements may be answered late.
    private var refusal: Refusal?
    private var statements = PreparedStatements()
    /// What is prepared by commands that are still queued.
    private var unsent: [PreparedStatements.Key: String] = [:]
    private var queuedBytes = 0
    private var failed = false
    private var cursors = 0
    /// How many ends of reads were sent whose answers were not read yet.
    private var unread = 0
    private static let fetchCount = 500
    /// How much is queued at most: bounds memory here, and how long the server works before we hear of it.
    private static let queueCount = 1024
    private static let queueBytes = 1 << 20

    /// - Throws: the `SQLFailure` for which there is no connection.
    init(_ address: PostgresAddress) throws {
        self.address = address
        connection = try PostgresConnection(address)
        for setting in address.settings { enqueue(setting) }
        try flush()
    }

    // MARK: Control

    /// Queues a statement of the database itself, such as BEGIN.
    func enqueue(_ sql: String, _ parameters: PostgresParameters = .none) {
        append(PostgresCommand(sql: sql, text: sql, parameters: parameters, isControl: true, preparedAs: nil))
    }

    /// Queues the savepoint of a change, which is known by its number from now on.
    func beginChange(_ number: Int) {
        failed = false
        change = number
        enqueue("SAVEPOINT change")
    }

    /// Ends a change that did not fail so far.
    /// - Parameter atOnce: whether what it left to be run later is run now, so that no failure of it shows after this.
    func endChange(atOnce: Bool) throws {
        enqueue("RELEASE change")
        if isFull || atOnce && queue.contains(where: { !$0.isControl }) { try flush() }
    }

    /// Takes back what the change did; where nothing of it was sent, that costs nothing.
    func undoChange() {
        failed = false
        if let start = queue.lastIndex(where: { $0.isControl && $0.sql == "SAVEPOINT change" }) {
            queue.removeSubrange(start...)
            forgetUnsent()
        } else {
            dropQueue()
            enqueue("ROLLBACK TO change")
            enqueue("RELEASE change")
        }
    }

    /// The change whose statement failed and what is to be told of it, which is forgotten.
    func takeRefusal() -> Refusal? {
        defer { refusal = nil }
        return refusal
    }

    /// Forgets what was queued, after which the transaction is rolled back where it had begun.
    func abandon() {
        let begun = !(queue.first?.sql.hasPrefix("BEGIN") ?? false)
        dropQueue()
        failed = false
        guard begun, !isDead, !connection.isLost else { return }
        enqueue("ROLLBACK")
        do { try flush() } catch { breakage = .lost(connection.lost()) }
    }

    /// Ends a read. One that sent nothing costs nothing; the answer to COMMIT is read with those of the next one.
    func endRead() {
        guard !failed, breakage == nil, queue.first?.sql.hasPrefix("BEGIN") != true else {
            abandon()
            return
        }
        enqueue("COMMIT")
        do {
            try send(before: Deadline.after(address.connectSeconds))
            unread += 1
        } catch {
            breakage = .lost(connection.lost())
        }
    }

    /// The breakage, which is forgotten.
    func takeBreakage() -> Breakage? {
        defer { breakage = nil }
        return breakage
    }

    // MARK: Statements

    func run(_ sql: String, _ parameters: [SQLValue], _ want: Want, _ body: (Row) throws -> Void) throws -> Int {
        let statement = try statements.translated(sql)
        guard parameters.count == statement.parameters else {
            throw SQLFailure.statement(
                sql: sql, reason: "it takes \(statement.parameters) parameters, \(parameters.count) were given")
        }
        let values = try PostgresParameters(parameters, sql: sql)
        if want == .stream, statement.isQuery {
            try stream(statement.text, values, sql: sql, body)
            return 0
        }
        var text = statement.text
        if want == .first, statement.isQuery, !statement.isLimited, statement.verb == "SELECT" { text += "\nLIMIT 1" }
        let name = prepare(text, values, sql: sql)
        append(
            PostgresCommand(sql: sql, text: text, parameters: values, isControl: false, preparedAs: name))
        if want == .later {
            if isFull { try flush() }
            return 0
        }
        let result = try flush()
        if want != .none { try result.forEachRow(body) }
        return result.changes
    }

    func script(_ sql: String) throws {
        let parts = try Dialect.postgresScript(sql)
        guard !parts.isEmpty else { return }
        for part in parts {
            append(
                PostgresCommand(sql: sql, text: part.text, parameters: .none, isControl: false, preparedAs: nil))
        }
        try flush()
        // What was prepared may mean other columns now.
        forgetStatements()
    }

    func clock(_ time: any TimeSource) throws -> Timestamp {
        var found: Timestamp?
        _ = try run(
            "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS INTEGER) AS now", [], .all
        ) { found = try $0.timestamp("now") }
        return found ?? time.now
    }

    /// Runs a statement of the database itself at once.
    func control(_ sql: String, _ parameters: PostgresParameters = .none) throws -> PostgresResult {
        enqueue(sql, parameters)
        return try flush()
    }

    private func stream(
        _ text: String, _ values: PostgresParameters, sql: String, _ body: (Row) throws -> Void
    ) throws {
        cursors += 1
        defer { cursors -= 1 }
        let cursor = "c\(cursors)"
        append(
            PostgresCommand(
                sql: sql, text: "DECLARE \(cursor) NO SCROLL CURSOR FOR \(text)", parameters: values, isControl: false,
                preparedAs: nil))
        defer { if !failed, breakage == nil { enqueue("CLOSE \(cursor)") } }
        while true {
            append(
                PostgresCommand(
                    sql: sql, text: "FETCH \(Self.fetchCount) FROM \(cursor)", parameters: .none, isControl: false,
                    preparedAs: nil))
            let result = try flush()
            try result.forEachRow(body)
            if result.rowCount < Self.fetchCount { return }
        }
    }

    private func prepare(_ text: String, _ values: PostgresParameters, sql: String) -> String {
        let key = PreparedStatements.Key(text: text, signature: values.signature)
        if let known = statements.name(key) ?? unsent[key] { return known }
        let name = statements.newName()
        unsent[key] = name
        append(
            PostgresCommand(
                sql: sql, text: text, parameters: values, isControl: false, preparedAs: name, prepares: key))
        for old in statements.surplus() { enqueue("DEALLOCATE \(old)") }
        return name
    }

    private func forgetStatements() {
        guard statements.forget() else { return }
        enqueue("DEALLOCATE ALL")
    }

    private func append(_ command: PostgresCommand) {
        var command = command
        command.change = change
        queuedBytes += command.size
        queue.append(command)
    }

    private var isFull: Bool { queue.count >= Self.queueCount || queuedBytes >= Self.queueBytes }

    private func dropQueue() {
        queue.removeAll()
        forgetUnsent()
    }

    /// Drops what is no longer queued from what is known of the queue.
    private func forgetUnsent() {
        queuedBytes = queue.reduce(0) { $0 + $1.size }
        unsent = [:]
        for command in queue {
            if let key = command.prepares { unsent[key] = command.preparedAs }
        }
    }

    // MARK: The wire

    /// Sends all that is queued and reads all answers.
    /// - Returns: the answer to the last of it.
    /// - Throws: what the first that failed means; `breakage` is set when it is more than a failed statement.
    @discardableResult
    func flush() throws -> PostgresResult {
        do {
            return try exchange()
        } catch let failure as SQLFailure {
            failed = true
            if breakage == nil, connection.isLost { breakage = .lost(failure) }
            throw failure
        }
    }

    /// Sends all that is queued.
    /// - Returns: what was sent, of which each will be answered.
    @discardableResult
    private func send(before deadline: UInt64) throws -> [PostgresCommand] {
        let commands = queue
        queue = []
        queuedBytes = 0
        unsent = [:]
        for command in commands {
            guard command.send(on: connection.handle) else { throw connection.lost() }
        }
        guard PQpipelineSync(connection.handle) == 1 else { throw connection.lost() }
        try connection.flush(before: deadline)
        return commands
    }

    private func settle(before deadline: UInt64) throws {
        while unread > 0 {
            _ = try answer(before: deadline)
            guard try connection.result(before: deadline)?.status == PGRES_PIPELINE_SYNC else {
                throw connection.lost()
            }
            unread -= 1
        }
    }

    private func exchange() throws -> PostgresResult {
        // The server ends a statement that takes too long; the rest is for the answer to arrive.
        let deadline = Deadline.after(Double(address.statementSeconds) + address.connectSeconds)
        do {
            let commands = try send(before: deadline)
            try settle(before: deadline)
            var last: PostgresResult?
            var broken: (PostgresCommand, PostgresResult)?
            for command in commands {
                let result = try answer(before: deadline)
                if result.isFailure, broken == nil { broken = (command, result) }
                if !result.isFailure, result.status != PGRES_PIPELINE_ABORTED, let key = command.prepares,
                    let name = command.preparedAs
                {
                    statements.remember(key, name)
                }
                last = result
            }
            guard try connection.result(before: deadline)?.status == PGRES_PIPELINE_SYNC else {
                throw connection.lost()
            }
            if let broken { throw interpret(broken.0, broken.1) }
            guard let last else { throw connection.lost() }
            return last
        } catch let failure as SQLFailure {
            // Whatever went wrong on the way, what comes next on this connection would be out of step.
            if case .unavailable = failure { breakage = .lost(failure) }
            throw failure
        }
    }

    /// The last result of one command.
    private func answer(before deadline: UInt64) throws -> PostgresResult {
        var last: PostgresResult?
        while let result = try connection.result(before: deadline) { last = result }
        guard let last else { throw connection.lost() }
        return last
    }

    private func interpret(_ command: PostgresCommand, _ result: PostgresResult) -> SQLFailure {
        let (failure, effect) = PostgresFailure.statement(
            result.sqlState, result.message, sql: command.sql, at: address)
        switch effect {
        case .lost: breakage = .lost(failure)
        case .retry:
            breakage = .retry(failure)
            forgetStatements()
        case .statement where command.isControl: breakage = .transaction(failure)
        case .statement: refusal = Refusal(change: command.change, failure: failure)
        }
        return failure
    }
}
