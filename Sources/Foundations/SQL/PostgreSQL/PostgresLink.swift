import Basics
import Foundation
import Telemetry

/// A connection that is made anew when it was lost. Used by one thread at a time.
final class PostgresLink {
    let address: PostgresAddress
    private let random: any RandomSource
    private let metrics: SQLMetrics
    private var current: PostgresSession?
    private var wasConnected = false

    init(_ address: PostgresAddress, random: any RandomSource, metrics: SQLMetrics) {
        self.address = address
        self.random = random
        self.metrics = metrics
    }

    /// The connection, made now where there is none.
    /// - Throws: the `SQLFailure` for which there is none.
    func session() throws -> PostgresSession {
        if let current { return current }
        let session = try PostgresSession(address)
        if wasConnected { metrics.reconnects.increment() }
        wasConnected = true
        current = session
        return session
    }

    /// Closes the connection; the next use makes another.
    func drop() { current = nil }

    /// Counts work that is run again after a conflict.
    func countRetry() { metrics.retries.increment() }

    /// Waits before a new try: half to all of 20 ms, 40 ms, 80 ms, ... 1 s, and never past the deadline.
    /// - Returns: false where the deadline has passed.
    func pause(_ attempt: Int, until deadline: UInt64) -> Bool {
        let now = SystemTime.monotonicNanoseconds
        guard now < deadline else { return false }
        // A server that merely closed an idle connection is asked again at once.
        guard attempt > 0 else { return true }
        let doublings = UInt64(min(max(0, attempt - 1), 6))
        let whole = min(UInt64(1_000_000_000), UInt64(20_000_000) << doublings)
        let wait = whole / 2 + random.next() % (whole / 2)
        usleep(UInt32(clamping: min(wait, deadline - now) / 1000))
        return true
    }
}
