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
    private let mask: UInt64

    /// - Parameter places: how many buckets there are, rounded up to a power of two.
    init(places count: Int = 1 << 16) {
        var size = Self.reach
        while size < count { size *= 2 }
        places = Places(size)
        mask = UInt64(size - 1)
    }

    /// Takes a token.
    /// - Parameters:
    ///   - now: nanoseconds of a clock that does not go back, above 0.
    ///   - key: spread well over its 64 bits.
    /// - Returns: nil, or nanoseconds until there is one.
    func take(_ key: UInt64, of size: Size, now: UInt64) -> UInt64? {
        let place = find(key) ?? claim(key, now: now)
        var old = places.full(place).pointee.load(ordering: .relaxed)
        while true {
            let next = max(old, now) &+ size.interval
            guard next &- now <= size.depth else { return next &- now &- size.depth }
            let result = places.full(place).pointee.weakCompareExchange(
                expected: old, desired: next, ordering: .relaxed)
            guard !result.exchanged else { return nil }
            old = result.original
        }
    }

    /// Puts back a token that was taken for a request which another bucket has refused.
    func giveBack(_ key: UInt64, of size: Size) {
        guard let place = find(key) else { return }
        places.full(place).pointee.wrappingSubtract(size.interval, ordering: .relaxed)
    }

    private func find(_ key: UInt64) -> Int? {
        for step in 0..<UInt64(Self.reach) {
            let place = Int((key &+ step) & mask)
            if places.key(place).pointee.load(ordering: .acquiring) == key { return place }
        }
        return nil
    }

    /// A place for a key that has none. Who was about to use the bucket that was there finds one token less in it or more;
    /// nothing else comes of that.
    private func claim(_ key: UInt64, now: UInt64) -> Int {
        while true {
            var least: (place: Int, key: UInt64, full: UInt64)?
            for step in 0..<UInt64(Self.reach) {
                let place = Int((key &+ step) & mask)
                let known = places.key(place).pointee.load(ordering: .acquiring)
                // Another thread was faster.
                if known == key { return place }
                let full = places.full(place).pointee.load(ordering: .relaxed)
                if least.map({ full < $0.full }) ?? true { least = (place, known, full) }
            }
            guard let least else { return 0 }
            let result = places.key(least.place).pointee.compareExchange(
                expected: least.key, desired: key, ordering: .acquiringAndReleasing)
            guard result.exchanged else { continue }
            if least.full > now {
                _ = places.full(least.place).pointee.compareExchange(
                    expected: least.full, desired: now, ordering: .relaxed)
            }
            return least.place
        }
    }

    /// The memory of the buckets: of each the key, and when it will be full.
    private final class Places: @unchecked Sendable {
        // Only ever read and written by atomic operations, on places below `count`.
        private let keys: UnsafeMutablePointer<Atomic<UInt64>>
        private let fulls: UnsafeMutablePointer<Atomic<UInt64>>
        private let count: Int

        init(_ count: Int) {
            self.count = count
            keys = .allocate(capacity: count)
            fulls = .allocate(capacity: count)
            for place in 0..<count {
                (keys + place).initialize(to: Atomic(0))
                (fulls + place).initialize(to: Atomic(0))
            }
        }

        deinit {
            keys.deinitialize(count: count)
            fulls.deinitialize(count: count)
            keys.deallocate()
            fulls.deallocate()
        }

        func key(_ place: Int) -> UnsafeMutablePointer<Atomic<UInt64>> { keys + checked(place) }

        func full(_ place: Int) -> UnsafeMutablePointer<Atomic<UInt64>> { fulls + checked(place) }

        private func checked(_ place: Int) -> Int {
            precondition(place >= 0 && place < count)
            return place
        }
    }
}
