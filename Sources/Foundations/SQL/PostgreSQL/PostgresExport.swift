import Basics
import CPostgreSQL
import Foundation
import Synchronization

/// Reads a table or query of somebody else's PostgreSQL database, row by row, into a file of ours.
///
/// Nothing is changed there: all runs in one transaction that may only read, on a connection of its own. Of the address
/// `schema`, `pool` and `patience` have no meaning; a statement may take an hour where `statement_timeout` says no other.
public struct PostgresExport: Sendable {
    /// A column as the server describes it, such as `timestamp without time zone`.
    public struct ServerColumn: Sendable, Hashable {
        public var name: String
        public var type: String
    }

    private let address: PostgresAddress
    private let statementSeconds: Int

    /// - Throws: `StoreURLFailure`.
    public init(_ url: StoreURL) throws {
        guard ["postgresql", "postgres"].contains(url.scheme) else {
            throw StoreURLFailure.unknownScheme(url.description, store: "source", known: ["postgresql"])
        }
        address = try PostgresAddress(url)
        statementSeconds = try url.integer("statement_timeout", in: 1...86_400) ?? 3600
    }

    /// The address without any secret.
    public var place: String { address.description }

    /// The columns of a query. The server checks that it is one single SELECT.
    /// - Throws: `SQLFailure`.
    public func columns(of query: String) async throws -> [ServerColumn] {
        try await session { connection, deadline in
            let sql = "SELECT * FROM (\(query)\n) AS source"
            try send(PQsendPrepare(connection.handle, "", sql, 0, nil), sql, connection, deadline)
            var fields: [(name: String, type: Oid)] = []
            try send(PQsendDescribePrepared(connection.handle, ""), sql, connection, deadline) { fields = $0.fields }
            guard !fields.isEmpty else { return [] }
            let types = fields.enumerated().map { "format_type(\($1.type), NULL) AS c\($0)" }.joined(separator: ", ")
            var names: [String] = []
            try run("SELECT \(types)", connection, deadline) { result in
                try result.forEachRow { row in
                    names = try fields.indices.map { try row.string("c\($0)") }
                }
            }
            return zip(fields, names).map { ServerColumn(name: $0.name, type: $1) }
        }
    }

    /// Writes a query's rows into a CSV file without a header: a null is nothing at all, an empty text is `""`.
    ///
    /// Times are in UTC. Memory stays bounded. The task's cancellation ends it.
    /// - Returns: how many rows there were.
    /// - Throws: `SQLFailure`; `CancellationError`.
    public func write(_ query: String, toCSV path: String) async throws -> Int64 {
        let stop = Flag()
        return try await withTaskCancellationHandler {
            try await session { connection, deadline in
                let sql = "COPY (\(query)\n) TO STDOUT (FORMAT csv)"
                let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
                guard file >= 0 else {
                    throw SQLFailure.inputOutput(path: path, reason: String(cString: strerror(errno)))
                }
                defer { close(file) }
                return try copy(sql, connection, deadline, stop, into: file, path)
            }
        } onCancel: {
            stop.raise()
        }
    }

    private func session<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection, UInt64) throws -> Value
    ) async throws -> Value {
        try await BlockingThread(name: "sql.export").run {
            let connection = try PostgresConnection(address)
            guard PQexitPipelineMode(connection.handle) == 1 else { throw connection.lost() }
            let deadline = Deadline.after(Double(statementSeconds) + address.connectSeconds)
            for setting in [
                "SET TimeZone TO 'UTC'", "SET DateStyle TO 'ISO, YMD'", "SET extra_float_digits TO 1",
                "SET standard_conforming_strings TO on", "SET statement_timeout TO '\(statementSeconds)s'",
                "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
            ] {
                try run(setting, connection, deadline) { _ in }
            }
            return try body(connection, deadline)
        }
    }

    private func run(
        _ sql: String, _ connection: PostgresConnection, _ deadline: UInt64, _ read: (PostgresResult) throws -> Void
    ) throws {
        try send(PQsendQuery(connection.handle, sql), sql, connection, deadline, read)
    }

    /// Waits for what was sent, and reads its results.
    private func send(
        _ sent: Int32, _ sql: String, _ connection: PostgresConnection, _ deadline: UInt64,
        _ read: (PostgresResult) throws -> Void = { _ in }
    ) throws {
        guard sent == 1 else { throw connection.lost() }
        try connection.flush(before: deadline)
        var failure: SQLFailure?
        while let result = try connection.result(before: deadline) {
            if result.isFailure {
                failure = failure ?? self.failure(result, sql)
            } else if failure == nil {
                try read(result)
            }
        }
        if let failure { throw failure }
    }

    private func copy(
        _ sql: String, _ connection: PostgresConnection, _ deadline: UInt64, _ stop: Flag, into file: Int32,
        _ path: String
    ) throws -> Int64 {
        guard PQsendQuery(connection.handle, sql) == 1 else { throw connection.lost() }
        try connection.flush(before: deadline)
        guard let first = try connection.result(before: deadline) else { throw connection.lost() }
        guard first.status == PGRES_COPY_OUT else { throw failure(first, sql) }
        var rows: Int64 = 0
        var pending: [UInt8] = []
        while true {
            if stop.isRaised { throw CancellationError() }
            var buffer: UnsafeMutablePointer<CChar>?
            let count = PQgetCopyData(connection.handle, &buffer, 1)
            if count == 0 {
                try connection.wait(for: Int16(POLLIN), before: deadline)
                guard PQconsumeInput(connection.handle) == 1 else { throw connection.lost() }
                continue
            }
            guard count > 0 else { break }
            // The server hands out whole rows, one at a time.
            rows += 1
            pending.append(contentsOf: UnsafeRawBufferPointer(start: buffer, count: Int(count)))
            PQfreemem(buffer)
            if pending.count >= 1 << 20 { try flush(&pending, file, path) }
        }
        try flush(&pending, file, path)
        while let result = try connection.result(before: deadline) {
            if result.isFailure { throw failure(result, sql) }
        }
        return rows
    }

    private func flush(_ bytes: inout [UInt8], _ file: Int32, _ path: String) throws {
        var offset = 0
        while offset < bytes.count {
            let written = bytes[offset...].withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                if errno == ENOSPC { throw SQLFailure.diskFull(path: path) }
                throw SQLFailure.inputOutput(path: path, reason: String(cString: strerror(errno)))
            }
            offset += written
        }
        bytes.removeAll(keepingCapacity: true)
    }

    private func failure(_ result: PostgresResult, _ sql: String) -> SQLFailure {
        PostgresFailure.statement(result.sqlState, result.message, sql: sql, at: address).failure
    }
}

/// Set once, by any thread.
private final class Flag: Sendable {
    private let raised = Atomic(false)

    var isRaised: Bool { raised.load(ordering: .acquiring) }

    func raise() { raised.store(true, ordering: .releasing) }
}
