import Basics
import Dispatch
import Synchronization
import Telemetry

/// The connections to one server, and whether it is worth asking.
///
/// A server that is away is asked by one caller at a time, at growing intervals; all others fail at once until it
/// answers.
final class RedisNode: Sendable {
    private struct State {
        var idle: [RedisConnection] = []
        var isClosed = false
        /// Why nobody should ask now.
        var failure: KeyValueFailure?
        var openUntil: UInt64 = 0
        var backoff: UInt64 = 0
        var isProbing = false
        var lost: UInt64 = 0
    }

    private static let firstBackoff: UInt64 = 50_000_000
    private static let longestBackoff: UInt64 = 1_000_000_000

    let address: RedisAddress
    private let settings: RedisSettings
    private let tls: RedisTLS?
    private let metrics: KeyValueMetrics
    private let state = Mutex(State())
    // It must not hold fewer permits at its end than at its start, so it starts with none.
    private let permits = DispatchSemaphore(value: 0)

    init(_ address: RedisAddress, _ settings: RedisSettings, tls: RedisTLS?, metrics: KeyValueMetrics) {
        self.address = address
        self.settings = settings
        self.tls = tls
        self.metrics = metrics
        for _ in 0..<settings.pool { permits.signal() }
    }

    /// Runs `body` with a connection. It may run again on a new connection where a kept one turns out to be lost.
    /// - Throws: `KeyValueFailure`, or what `body` throws.
    func use<Result>(_ deadline: UInt64, _ body: (RedisConnection) throws -> Result) throws -> Result {
        while true {
            let connection = try take(deadline)
            do {
                let result = try body(connection)
                give(connection)
                return result
            } catch let broken as RedisBroken {
                let failure = drop(connection, broken)
                guard connection.isReused, broken.isLost else { throw failure }
            } catch {
                give(connection)
                throw error
            }
        }
    }

    /// A connection for the caller alone, which must be given back or dropped.
    /// - Throws: `KeyValueFailure`.
    func take(_ deadline: UInt64) throws -> RedisConnection {
        let isProbe = try admit()
        guard permits.wait(timeout: DispatchTime(uptimeNanoseconds: deadline)) == .success else {
            if isProbe { state.withLock { $0.isProbing = false } }
            throw KeyValueFailure.busy(
                store: settings.name, reason: "all \(settings.pool) connections to \(address) are in use")
        }
        // A kept connection says nothing of whether new ones can be had.
        if !isProbe, let idle = state.withLock({ $0.idle.popLast() }) {
            idle.isReused = true
            return idle
        }
        let limit = SystemTime.monotonicNanoseconds + UInt64(settings.connectMilliseconds) * 1_000_000
        do {
            let made = try RedisConnection(address, settings, tls: tls, deadline: min(deadline, limit))
            let replaces = state.withLock { state in
                state.failure = nil
                state.backoff = 0
                state.isProbing = false
                defer { state.lost = state.lost > 0 ? state.lost - 1 : 0 }
                return state.lost > 0
            }
            if replaces { metrics.reconnects.increment() }
            return made
        } catch {
            let failure =
                (error as? RedisBroken)?.failure(settings, address, milliseconds: settings.connectMilliseconds)
                ?? error as? KeyValueFailure ?? .unreachable(store: settings.name, reason: "\(address)")
            close(failure)
            permits.signal()
            throw failure
        }
    }

    /// Takes a connection back; one with replies under way is of no more use.
    func give(_ connection: RedisConnection) {
        state.withLock { state in
            if connection.isAtRest, !state.isClosed { state.idle.append(connection) }
        }
        permits.signal()
    }

    /// Ends a connection that broke.
    /// - Returns: what to tell the caller.
    @discardableResult
    func drop(_ connection: RedisConnection, _ broken: RedisBroken) -> KeyValueFailure {
        let failure = broken.failure(settings, address, milliseconds: settings.readMilliseconds)
        switch failure {
        case .replyTooLarge: break
        case _ where connection.isReused && broken.isLost:
            // The server was restarted or cut idle connections: the others are lost as well, but it may be there.
            state.withLock { state in
                state.lost += 1 + UInt64(state.idle.count)
                state.idle = []
            }
        default:
            state.withLock { $0.lost += 1 }
            close(failure)
        }
        permits.signal()
        return failure
    }

    /// Ends all connections at rest; none is kept or made any more.
    func end() {
        state.withLock { state in
            state.isClosed = true
            state.idle = []
        }
    }

    /// Whether this caller is the one who tries a server that was away.
    private func admit() throws -> Bool {
        try state.withLock { state in
            guard !state.isClosed else { throw KeyValueFailure.closed(store: settings.name) }
            guard let failure = state.failure else { return false }
            guard !state.isProbing, SystemTime.monotonicNanoseconds >= state.openUntil else { throw failure }
            state.isProbing = true
            return true
        }
    }

    /// Keeps callers away for a while.
    private func close(_ failure: KeyValueFailure) {
        state.withLock { state in
            state.lost += UInt64(state.idle.count)
            state.idle = []
            state.failure = failure
            state.backoff = min(Self.longestBackoff, max(Self.firstBackoff, state.backoff * 2))
            state.openUntil = SystemTime.monotonicNanoseconds + state.backoff
            state.isProbing = false
        }
    }
}
