/// How often each duration was seen, to within 1 %: 64 equal parts of each power of two of nanoseconds, up to 137 s.
///
/// Buckets of several processes or machines add up to the buckets of all, and so quantiles of a whole can be had from its
/// parts (log-linear buckets, as in G. Tene's HdrHistogram). The middle of a part is at most 1/128, 0.8 %, away from what
/// fell into it.
public struct DurationCounts: Sendable, Equatable {
    /// By bucket, ``bucketCount`` of them.
    public private(set) var buckets: [UInt64]
    /// The sum of all durations.
    public private(set) var nanoseconds: UInt64

    private static let partBits = 6
    private static let parts = 1 << partBits
    /// The power of two that the longest durations told apart begin with.
    private static let lastExponent = 36
    /// Buckets of one nanosecond each, then ``parts`` for each power of two.
    public static let bucketCount = parts + (lastExponent - partBits + 1) * parts

    /// Nothing seen.
    public init() {
        buckets = Array(repeating: 0, count: Self.bucketCount)
        nanoseconds = 0
    }

    /// The bucket of a duration; what is too long goes into the last one.
    @inline(__always)
    static func bucket(_ nanoseconds: UInt64) -> Int {
        guard nanoseconds >= UInt64(parts) else { return Int(nanoseconds) }
        let exponent = 63 - nanoseconds.leadingZeroBitCount
        guard exponent <= lastExponent else { return bucketCount - 1 }
        let part = Int(nanoseconds >> UInt64(exponent - partBits)) & (parts - 1)
        return parts + (exponent - partBits) * parts + part
    }

    /// The middle of a bucket.
    static func middle(_ bucket: Int) -> UInt64 {
        guard bucket >= parts else { return UInt64(max(0, bucket)) }
        let octave = UInt64((bucket - parts) / parts)
        let lower = UInt64(parts + (bucket - parts) % parts) << octave
        return lower + ((1 << octave) - 1) / 2
    }

    /// Adds durations that were seen elsewhere.
    public mutating func add(_ other: DurationCounts) {
        for (bucket, count) in other.buckets.enumerated() where count > 0 { add(count, to: bucket) }
        nanoseconds &+= other.nanoseconds
    }

    /// Counts one duration.
    public mutating func observe(nanoseconds duration: UInt64) {
        add(1, to: Self.bucket(duration))
        nanoseconds &+= duration
    }

    mutating func add(_ count: UInt64, to bucket: Int) {
        guard buckets.indices.contains(bucket) else { return }
        buckets[bucket] &+= count
    }

    mutating func add(nanoseconds more: UInt64) { nanoseconds &+= more }

    /// How many durations were seen.
    public var count: UInt64 { buckets.reduce(0, &+) }

    /// The mean in nanoseconds; nil before the first one.
    public var mean: Double? {
        let count = count
        return count == 0 ? nil : Double(nanoseconds) / Double(count)
    }

    /// The duration in nanoseconds that a share of all does not exceed, within 1 %; nil before the first one.
    /// - Parameter share: from 0 to 1; what lies outside counts as the nearer end.
    public func quantile(_ share: Double) -> Double? {
        let all = count
        guard all > 0, !share.isNaN else { return nil }
        let rank = max(1, (min(1, max(0, share)) * Double(all)).rounded(.up))
        var seen = 0.0
        for (bucket, count) in buckets.enumerated() where count > 0 {
            seen += Double(count)
            if seen >= rank { return Double(Self.middle(bucket)) }
        }
        return nil
    }

    /// How many lie at or below each of ascending bounds in nanoseconds. A duration within 1 % of a bound may be counted on
    /// its other side.
    public func cumulative(_ bounds: [UInt64]) -> [UInt64] {
        var (bucket, seen): (Int, UInt64) = (0, 0)
        return bounds.map { bound in
            while bucket < buckets.count, Self.middle(bucket) <= bound {
                seen &+= buckets[bucket]
                bucket += 1
            }
            return seen
        }
    }
}
