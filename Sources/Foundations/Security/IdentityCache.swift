import Synchronization

/// Identities that were found good a moment ago, by the hash of what they showed. Each network thread has a part of its
/// own, so that requests of different threads share no lock.
final class IdentityCache: Sendable {
    /// One identity, shared by the parts; replaced as a whole when it is looked up again.
    final class Entry: Sendable {
        let identity: Identity
        /// What it was found good under: a change of principals makes it worthless.
        let generation: Int
        /// On the monotonic clock: when to look it up again in the background, when it is no longer good, and until when
        /// it may stand in while the database does not answer.
        let refreshAt, validUntil, graceUntil: UInt64
        private let refreshing = Atomic<Bool>(false)

        init(_ identity: Identity, generation: Int, at now: UInt64, times: Times) {
            self.identity = identity
            self.generation = generation
            refreshAt = now &+ times.refresh
            validUntil = now &+ times.valid
            graceUntil = now &+ times.grace
        }

        /// True for the first who asks: that one looks it up again.
        func claimRefresh() -> Bool { !refreshing.exchange(true, ordering: .acquiringAndReleasing) }
    }

    /// Nanoseconds.
    struct Times: Sendable {
        var refresh: UInt64 = 2_000_000_000
        var valid: UInt64 = 4_000_000_000
        var grace: UInt64 = 60_000_000_000

        /// For what stays proven until it expires: nothing that was asked could take it back.
        static let untilExpiry = Times(refresh: year, valid: year, grace: year)
        private static let year: UInt64 = 31_536_000_000_000_000
    }

    /// What was shown; one kind can not be taken for another.
    struct Key: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            case authorization, apiKey, certificate
        }

        let hash: TokenHash
        let kind: Kind
    }

    private final class Part: Sendable {
        let entries = Mutex<[Key: Entry]>([:])
    }

    private static let entriesMax = 4096
    private let shared = Part()
    private let parts: [Part]

    init(parts count: Int = 16) { parts = (0..<max(1, count)).map { _ in Part() } }

    /// The entry as the thread of that index knows it, else as all do; it may be out of date.
    func entry(_ key: Key, thread: Int, now: UInt64) -> Entry? {
        let index = thread >= 0 ? thread % parts.count : 0
        guard parts.indices.contains(index) else { return entry(key) }
        let part = parts[index]
        if let known = part.entries.withLock({ $0[key] }), now < known.refreshAt { return known }
        guard let newest = entry(key) else { return nil }
        put(newest, key, in: part)
        return newest
    }

    /// The newest entry.
    func entry(_ key: Key) -> Entry? { shared.entries.withLock { $0[key] } }

    func put(_ entry: Entry, _ key: Key) { put(entry, key, in: shared) }

    func remove(_ key: Key) {
        for part in parts + [shared] { part.entries.withLock { _ = $0.removeValue(forKey: key) } }
    }

    private func put(_ entry: Entry, _ key: Key, in part: Part) {
        part.entries.withLock { entries in
            // Rare enough that starting anew is cheaper than keeping an order.
            if entries.count >= IdentityCache.entriesMax, entries[key] == nil { entries.removeAll() }
            entries[key] = entry
        }
    }
}
