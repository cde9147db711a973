import Basics

/// What a database is found to be when it is looked at.
public struct SQLCheck: Sendable, Hashable {
    /// The engine it lives in.
    public let engine: Database.Engine
    /// Where it is, without secrets.
    public let path: String
    /// The version of the engine, such as `3.40.1`.
    public let version: String
    /// How long the shortest question takes.
    public let latencySeconds: Double
    /// What is not as safe as it should be, each in one sentence.
    public let warnings: [String]
}

extension Database {
    /// Looks at the database: whether it answers, whether tables can be made in it, and whether it keeps what it
    /// acknowledges. A file is read through once; a damaged page is found.
    /// - Parameter changing: whether to try, in a change that is undone, to make a table; else it is only read.
    /// - Throws: the `SQLFailure` that says what is wrong.
    public func check(changing: Bool = true) async throws -> SQLCheck {
        if changing { try await mayMakeTables() }
        let engine = engine
        let found = try await read { transaction -> (version: String, warnings: [String]) in
            switch engine {
            case .sqlite: try SQLCheck.lookAtFile(transaction, path: self.path)
            case .postgresql: try SQLCheck.lookAtServer(transaction)
            }
        }
        let start = SystemTime.monotonicNanoseconds
        _ = try await read { try $0.first("SELECT 1 AS one") }
        let seconds = Double(SystemTime.monotonicNanoseconds &- start) * 1e-9
        return SQLCheck(
            engine: engine, path: path, version: found.version, latencySeconds: seconds, warnings: found.warnings)
    }

    private struct Undo: Error {}

    private func mayMakeTables() async throws {
        do {
            try await write { transaction in
                try transaction.execute("CREATE TABLE sql_check (id INTEGER PRIMARY KEY)")
                try transaction.execute("INSERT INTO sql_check (id) VALUES (1)")
                throw Undo()
            }
        } catch is Undo {}
    }
}

extension SQLCheck {
    fileprivate static func lookAtFile(
        _ transaction: Transaction, path: String
    ) throws -> (version: String, warnings: [String]) {
        let version = try transaction.first("SELECT sqlite_version() AS v")?.string("v") ?? "unknown"
        // The table-valued form: the statement form is the database's own.
        let verdict = try transaction.first("SELECT quick_check AS v FROM pragma_quick_check(1)")?.string("v") ?? "ok"
        guard verdict == "ok" else { throw SQLFailure.corrupt(path: path, reason: verdict) }
        return (version, [])
    }

    fileprivate static func lookAtServer(_ transaction: Transaction) throws -> (version: String, warnings: [String]) {
        let row = try transaction.first(
            """
            SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
              current_setting('full_page_writes') AS pages, inet_client_addr() IS NULL AS is_local,
              coalesce(host(inet_client_addr()) IN ('127.0.0.1', '::1'), false) AS is_loopback,
              (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS is_encrypted
            """)
        guard let row else { return ("unknown", []) }
        var warnings: [String] = []
        if try row.string("fsync") != "on" {
            warnings.append("the server runs with fsync off and loses what it acknowledged when the machine stops")
        }
        if try row.string("pages") != "on" {
            warnings.append("the server runs with full_page_writes off and may be damaged when the machine stops")
        }
        if try !row.bool("is_local"), try !row.bool("is_loopback"), try row.optionalInteger("is_encrypted") != 1 {
            warnings.append("the connection is not encrypted; say sslmode=verify-full in the address")
        }
        return (try row.string("version"), warnings)
    }
}
