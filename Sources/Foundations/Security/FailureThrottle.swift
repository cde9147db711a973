import Basics
import Foundation
import Synchronization

/// Slows those down who show wrong credentials: the first few answers come at once, later ones wait the longer the more
/// have failed. Who shows a right one never waits, so an attacker can not shut others out behind the same address.
final class FailureThrottle: Sendable {
    /// What becomes of one failed attempt.
    enum Outcome: Equatable {
        /// The answer waits for so many seconds.
        case delayed(Double)
        /// Too many wait already.
        case refused
    }

    private struct Source {
        var failures = 0.0
        /// When `failures` held, on the monotonic clock.
        var at: UInt64
        var waiting = 0
    }

    private struct State {
        var sources: [String: Source] = [:]
        var waiting = 0
    }

    /// Failed attempts that cost nothing: typing errors.
    static let free = 5.0
    static let longestDelay = 2.0
    static let halfLifeSeconds = 60.0
    private let sourcesMax: Int
    private let waitingMax: Int
    private let waitingOfSourceMax: Int
    private let state = Mutex(State())

    init(sourcesMax: Int = 4096, waitingMax: Int = 256, waitingOfSourceMax: Int = 16) {
        self.sourcesMax = max(1, sourcesMax)
        self.waitingMax = waitingMax
        self.waitingOfSourceMax = waitingOfSourceMax
    }

    /// How many sources are remembered.
    var sources: Int { state.withLock { $0.sources.count } }

    /// Counts a failed attempt. Where its answer is delayed, `waited` must follow.
    /// - Returns: what becomes of it, and how many of the source have failed of late.
    func failed(_ address: String, now: UInt64) -> (outcome: Outcome, failures: Int) {
        let name = FailureThrottle.source(address)
        return state.withLock { state in
            var source = state.sources[name] ?? Source(at: now)
            source.failures = FailureThrottle.decayed(source, now: now) + 1
            source.at = max(source.at, now)
            let count = Int(min(source.failures.rounded(), 1e9))
            let excess = source.failures - FailureThrottle.free
            let delay = excess <= 0 ? 0 : min(FailureThrottle.longestDelay, 0.05 * (excess < 10 ? exp2(excess) : 1024))
            let full = state.waiting >= waitingMax || source.waiting >= waitingOfSourceMax
            if delay > 0, !full {
                source.waiting += 1
                state.waiting += 1
            }
            if state.sources[name] == nil, state.sources.count >= sourcesMax { Self.makeRoom(&state, now: now) }
            state.sources[name] = source
            return (delay > 0 && full ? .refused : .delayed(delay), count)
        }
    }

    /// Ends the wait of a delayed answer.
    func waited(_ address: String) {
        let name = FailureThrottle.source(address)
        state.withLock { state in
            state.waiting = max(0, state.waiting - 1)
            if let waiting = state.sources[name]?.waiting { state.sources[name]?.waiting = max(0, waiting - 1) }
        }
    }

    /// Forgets who has been quiet; where nobody has, the one with the fewest failures.
    private static func makeRoom(_ state: inout State, now: UInt64) {
        state.sources = state.sources.filter { $0.value.waiting > 0 || decayed($0.value, now: now) >= 0.5 }
        guard let least = state.sources.min(by: { decayed($0.value, now: now) < decayed($1.value, now: now) }) else {
            return
        }
        state.sources[least.key] = nil
    }

    private static func decayed(_ source: Source, now: UInt64) -> Double {
        let seconds = now > source.at ? Double(now - source.at) / 1e9 : 0
        return source.failures * exp2(-seconds / halfLifeSeconds)
    }

    /// One IPv6 customer holds a whole /64, so that is what counts as one source.
    static func source(_ address: String) -> String {
        guard address.contains(":"), !address.contains(".") else { return address }
        let halves = address.components(separatedBy: "::")
        var groups = (halves.first ?? "").split(separator: ":").map(String.init)
        if let rest = halves.dropFirst().first {
            let tail = rest.split(separator: ":").map(String.init)
            groups += Array(repeating: "0", count: max(0, 8 - tail.count - groups.count)) + tail
        }
        return groups.prefix(4).joined(separator: ":") + "::/64"
    }
}
