import Basics
import Synchronization

/// Leases kept in a database, so that of all processes that share it one does a piece of work.
///
/// The rule. A lease has a token, a count of renewals, and the moment of the last one by the database's clock
/// (PostgreSQL's own; the `TimeSource` for a file). Another may take it, with the next token, when
/// 1. it was released, or
/// 2. that clock says that its time is over, or
/// 3. the taker itself saw the same token and the same count of renewals for the lease's whole time, measured with its
///    own monotonic clock. So when the clock jumps back an hour nobody waits an hour: a holder that lives renews, which
///    starts the time anew, and one that died is replaced after the lease's time as ever.
///
/// When the clock jumps forward a living holder may be replaced early. That is harmless by the token: `Lease.check(in:)`
/// and `Database.fenced(by:)` read it in the transaction of every change, changes are made one after the other, and so
/// after a new holder's first moment no older one can commit anything. No clock takes part in that.
public final class Leases: Sendable {
    private struct Seen {
        let token: Int64
        let renewals: Int64
        let since: UInt64
    }

    private let database: Database
    private let time: any TimeSource
    private let holder: String
    private let uptime: @Sendable () -> UInt64
    private let seen = Mutex<[String: Seen]>([:])
    private static let secondsMax = 86_400.0

    /// - Parameters:
    ///   - database: one that `migrations` were applied to.
    ///   - time: the clock of leases in a file.
    ///   - holder: names this process among all that share the database; not empty.
    ///   - uptime: monotonic nanoseconds.
    public init(
        _ database: Database, time: any TimeSource, holder: String,
        uptime: @escaping @Sendable () -> UInt64 = { SystemTime.monotonicNanoseconds }
    ) {
        self.database = database
        self.time = time
        self.holder = holder
        self.uptime = uptime
    }

    /// The table of leases.
    public static let migrations = [
        Migration(
            room: "leases", version: 1,
            sql: """
                CREATE TABLE sql_leases (
                  name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, renewals INTEGER NOT NULL,
                  renewed_at INTEGER NOT NULL, seconds REAL NOT NULL);
                """)
    ]

    /// Takes a lease that is free.
    /// - Parameter seconds: how long it lasts without being renewed: more than 0, at most a day.
    /// - Returns: nil where another holds it. Ask again from time to time, by the same value: it remembers what it saw.
    /// - Throws: `SQLFailure.leaseSeconds`, or the `SQLFailure` of the engine.
    public func acquire(_ name: String, for seconds: Double) async throws -> Lease? {
        guard seconds > 0, seconds <= Leases.secondsMax else {
            throw SQLFailure.leaseSeconds(name: name, seconds: seconds)
        }
        let asked = uptime()
        let before = seen.withLock { $0[name] }
        let (time, holder) = (time, holder)
        let answer = try await database.write { transaction -> Answer in
            let now = try transaction.clock(time)
            let row = try transaction.first("SELECT * FROM sql_leases WHERE name = ?", [.text(name)])
            if let row, !(try Leases.isFree(row, now: now, seen: before, uptime: asked)) {
                return .held(token: try row.integer("token"), renewals: try row.integer("renewals"))
            }
            let token = (try row?.integer("token") ?? 0) &+ 1
            try transaction.execute(
                """
                INSERT INTO sql_leases (name, holder, token, renewals, renewed_at, seconds) VALUES (?, ?, ?, 0, ?, ?)
                ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, token = excluded.token,
                  renewals = excluded.renewals, renewed_at = excluded.renewed_at, seconds = excluded.seconds
                """, [.text(name), .text(holder), .integer(token), .init(now), .double(seconds)])
            return .taken(Lease(name: name, holder: holder, token: token, seconds: seconds, since: asked))
        }
        switch answer {
        case .taken(let lease):
            seen.withLock { $0[name] = nil }
            return lease
        case .held(let token, let renewals):
            seen.withLock { seen in
                guard seen[name]?.token != token || seen[name]?.renewals != renewals else { return }
                // Counted from now, not from when the question was asked: it was unchanged at some moment in between.
                seen[name] = Seen(token: token, renewals: renewals, since: uptime())
            }
            return nil
        }
    }

    /// Lets a lease last for its whole time again.
    /// - Returns: the lease, renewed.
    /// - Throws: `SQLFailure.leaseLost` where another took it, or it was released.
    public func renew(_ lease: Lease) async throws -> Lease {
        let asked = uptime()
        let time = time
        try await database.write { transaction in
            let now = try transaction.clock(time)
            let count = try transaction.execute(
                """
                UPDATE sql_leases SET renewals = renewals + 1, renewed_at = ?
                WHERE name = ? AND holder = ? AND token = ?
                """, [.init(now), .text(lease.name), .text(lease.holder), .integer(lease.token)])
            guard count == 1 else { throw SQLFailure.leaseLost(name: lease.name, token: lease.token) }
        }
        return Lease(
            name: lease.name, holder: lease.holder, token: lease.token, seconds: lease.seconds, since: asked)
    }

    /// Gives a lease back, so that another need not wait. One that was lost already stays as it is.
    public func release(_ lease: Lease) async throws {
        try await database.write { transaction in
            try transaction.execute(
                "UPDATE sql_leases SET holder = '' WHERE name = ? AND holder = ? AND token = ?",
                [.text(lease.name), .text(lease.holder), .integer(lease.token)])
        }
    }

    /// The leases that are held now, by the database's clock, with their holders.
    /// - Parameter prefix: of their names.
    /// - Returns: nothing where the table of leases was never made.
    public func held(prefix: String) async throws -> [String: String] {
        let time = time
        do {
            return try await database.read { transaction in
                let now = try transaction.clock(time)
                var found: [String: String] = [:]
                for row in try transaction.query("SELECT * FROM sql_leases") {
                    let name = try row.string("name")
                    guard name.hasPrefix(prefix), !(try Leases.isFree(row, now: now, seen: nil, uptime: 0)) else {
                        continue
                    }
                    found[name] = try row.string("holder")
                }
                return found
            }
        } catch SQLFailure.statement {
            return [:]
        }
    }

    /// Whether the holder may still think that it is alone, by its own monotonic clock. What it does to the database is
    /// safe in any case; this is for what it does elsewhere.
    public func isFresh(_ lease: Lease) -> Bool {
        Double(uptime() &- lease.since) < lease.seconds * 1e9
    }

    private enum Answer {
        case taken(Lease)
        case held(token: Int64, renewals: Int64)
    }

    private static func isFree(_ row: Row, now: Timestamp, seen: Seen?, uptime: UInt64) throws -> Bool {
        if try row.string("holder").isEmpty { return true }
        let seconds = try row.double("seconds")
        let renewed = try row.integer("renewed_at")
        if Double(now.microseconds) - Double(renewed) >= seconds * 1e6 { return true }
        guard let seen, seen.token == (try row.integer("token")), seen.renewals == (try row.integer("renewals")),
            uptime > seen.since
        else { return false }
        return Double(uptime - seen.since) >= seconds * 1e9
    }
}
