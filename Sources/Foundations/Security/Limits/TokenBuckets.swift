import Synchronization

/// Token buckets by a key of 64 bits, shared by all threads without a lock and bounded in memory.
///
/// A bucket is one number: the moment at which it will be full again (the virtual scheduling form of the generic cell rate
/// algorithm, ITU-T I.371, which lets the same requests through as a bucket of `burst` tokens that fills at `rate`). A
/// bucket that is full is no different from one that was never used, so its place can be given to another, and
/// forgetting loses nothing. Where every place that a key may have is taken, the fullest bucket there is forgotten.
final class TokenBuckets: Sendable {
    /// How fast a bucket fills and how much it holds, in nanoseconds.
    struct Size: Sendable {
        /// Between two tokens.
        let interval: UInt64
        /// Until an empty bucket is full.
        let depth: UInt64

        init(rate: Double, burst: Int) {
            interval = max(1, UInt64((1e9 / max(rate, 1e-9)).rounded()))
            depth = interval.multipliedReportingOverflow(by: UInt64(max(1, burst))).partialValue
        }
    }

    /// Places that a key is looked for at.
    private static let reach = 8

    private let places: Places
    private let mask: UInt

    /// - Parameter places: how many buckets there are, rounded up to a power of two.
    init(places count: Int = 1 << 16) {
        var size = Self.reach
        while size < count { size *= 2 }
        places = Places(size)
        mask = UInt(size - 1)
    }

    /// Takes a token.
    /// - Parameters:
    ///   - now: nanoseconds of a clock that does not go back, above 0.
    ///   - key: spread well over its 64 bits.
    /// - Returns: nil, or nanoseconds until there is one.
    func take(_ key: UInt64, of size: Size, now: UInt64) -> UInt64? {
        let key = UInt(key)
        while true {
            var found: (place: Int, pair: WordPair)?
            var least: (place: Int, pair: WordPair)?
            for step in 0..<UInt(Self.reach) {
                let place = Int((key &+ step) & mask)
                let pair = places[place]
                if pair.first == key {
                    found = (place, pair)
                    break
                }
                if least.map({ pair.second < $0.pair.second }) ?? true { least = (place, pair) }
            }
            let full = found.map { max(UInt64($0.pair.second), now) } ?? now
            let next = full &+ size.interval
            guard next &- now <= size.depth else { return next &- now &- size.depth }
            guard let (place, old) = found ?? least else { return nil }
            if places.exchange(place, old, for: WordPair(first: key, second: UInt(next))) { return nil }
        }
    }

    /// Puts back a token that was taken for a request which another bucket has refused.
    func giveBack(_ key: UInt64, of size: Size) {
        let key = UInt(key)
        for step in 0..<UInt(Self.reach) {
            let place = Int((key &+ step) & mask)
            while case let pair = places[place], pair.first == key {
                let earlier = pair.second > UInt(size.interval) ? pair.second - UInt(size.interval) : 0
                if places.exchange(place, pair, for: WordPair(first: key, second: earlier)) { return }
            }
        }
    }

    /// The memory of the buckets.
    private final class Places: @unchecked Sendable {
        // Only ever read and written by atomic operations, on places below `count`.
        private let memory: UnsafeMutablePointer<Atomic<WordPair>>
        private let count: Int

        init(_ count: Int) {
            self.count = count
            memory = .allocate(capacity: count)
            for place in 0..<count { (memory + place).initialize(to: Atomic(WordPair(first: 0, second: 0))) }
        }

        deinit {
            memory.deinitialize(count: count)
            memory.deallocate()
        }

        subscript(place: Int) -> WordPair {
            precondition(place >= 0 && place < count)
            return memory[place].load(ordering: .acquiring)
        }

        func exchange(_ place: Int, _ old: WordPair, for new: WordPair) -> Bool {
            precondition(place >= 0 && place < count)
            return memory[place].weakCompareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing)
                .exchanged
        }
    }
}
