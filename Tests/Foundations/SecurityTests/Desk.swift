import Basics
import Engines
import HTTP
import Journal
import SQL
import Synchronization
import Telemetry
import TestSupport

@testable import Security

/// A database with the tables of this room, a store over it, and clocks that a test can set.
final class Desk: Sendable {
    static let start = Timestamp(seconds: 1_700_000_000)
    let folder: TemporaryFolder
    let database: Database
    let time = MovableTime(Desk.start)
    let monotonic = Atomic<UInt64>(1_000_000_000_000)
    let store: AccessStore
    let pauses = Mutex<[Double]>([])

    init(_ engine: SQLEngine) async throws {
        folder = try TemporaryFolder()
        database = try await engine.database(in: folder, time: time)
        _ = try await database.migrate(Journal.migrations + AccessStore.migrations)
        store = AccessStore(database: database, time: time, random: SystemRandom())
    }

    /// A guard, as each process has one of its own.
    func authenticator(_ store: AccessStore? = nil, log: Logger = .silent) -> Authenticator {
        Authenticator(
            source: store ?? self.store, time: time, log: log, times: IdentityCache.Times(),
            monotonic: { [self] in monotonic.load(ordering: .acquiring) },
            pause: { [self] seconds in pauses.withLock { $0.append(seconds) } })
    }

    /// Lets time go by on both clocks.
    func pass(seconds: Int64) {
        time.set(time.now.advanced(bySeconds: seconds))
        monotonic.add(UInt64(clamping: seconds) * 1_000_000_000, ordering: .acquiringAndReleasing)
    }

    func token(
        _ name: String, _ role: Role? = nil, scope: TokenScope = .whole, lifetime: Int64? = 90 * 86_400
    ) async throws -> IssuedToken {
        try await store.createToken(
            TokenRequest(
                principal: try PrincipalID(name), scope: scope, lifetime: lifetime, roleOfNewPrincipal: role),
            by: "user:root")
    }

    func entries() async throws -> [JournalEntry] { try await Journal(database).entries(limit: 1000) }

    static func bearer(_ token: IssuedToken) -> RequestCredentials { bearer(token.secret.revealed) }

    static func bearer(_ text: String, from address: String = "192.0.2.1") -> RequestCredentials {
        RequestCredentials(method: .post, authorization: "Bearer \(text)", remoteAddress: address)
    }
}

/// A clock that can be set forward and back.
final class MovableTime: TimeSource {
    private let moment: Mutex<Timestamp>

    init(_ start: Timestamp) { moment = Mutex(start) }

    var now: Timestamp { moment.withLock { $0 } }

    func set(_ target: Timestamp) { moment.withLock { $0 = target } }
}

/// The text of the error that `body` throws; empty where it throws none.
func complaint(_ body: () async throws -> Void) async -> String {
    do {
        try await body()
        return ""
    } catch {
        return "\(error)"
    }
}
