import Basics
import Foundation
import Synchronization

/// Durations as ``DurationCounts`` has them, counted on hot paths: an addition to a part of the memory that few other
/// threads add to, without a lock. A reading puts the parts together.
public final class DurationHistogram: Sendable {
    // Zeroed memory is a counter at zero, and the system gives it when it is first written: most buckets never are.
    private nonisolated(unsafe) let counters: UnsafeMutablePointer<Atomic<UInt64>>?

    /// A power of two.
    private static let shards = 8
    /// The sum, then the buckets; whole cache lines.
    private static let stride = (DurationCounts.bucketCount + 8) & ~7

    /// Upper bounds shown to Prometheus, in nanoseconds.
    static let bounds: [UInt64] = [
        5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
        25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000,
        10_000_000_000, 30_000_000_000,
    ]

    /// One that counts for itself; ``MetricsRegistry/durations(_:help:labels:)`` gives one that is shown.
    public init() {
        let memory = calloc(Self.shards * Self.stride, MemoryLayout<Atomic<UInt64>>.stride)
        counters = memory?.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    deinit { free(counters) }

    /// Counts one duration.
    @inline(__always)
    public func observe(nanoseconds: UInt64) {
        guard let counters else { return }
        let shard = counters + ThreadShard.current(of: Self.shards) * Self.stride
        shard[0].wrappingAdd(nanoseconds, ordering: .relaxed)
        shard[1 + DurationCounts.bucket(nanoseconds)].wrappingAdd(1, ordering: .relaxed)
    }

    /// What was counted so far.
    public func read() -> DurationCounts {
        var counts = DurationCounts()
        guard let counters else { return counts }
        for shard in 0..<Self.shards {
            let first = counters + shard * Self.stride
            counts.add(nanoseconds: first[0].load(ordering: .relaxed))
            for bucket in 0..<DurationCounts.bucketCount {
                let count = first[1 + bucket].load(ordering: .relaxed)
                if count > 0 { counts.add(count, to: bucket) }
            }
        }
        return counts
    }
}

/// Which of several parts of a counter a thread adds to, so that threads seldom add to the same memory.
public enum ThreadShard {
    /// - Parameter count: a power of two.
    @inline(__always)
    public static func current(of count: Int) -> Int {
        // Stacks of threads lie whole powers of two apart, so that the lower bits of their addresses are all the same.
        let thread = UInt64(pthread_self())
        return Int(truncatingIfNeeded: SplitMix.mix(thread) & UInt64(count - 1))
    }
}
