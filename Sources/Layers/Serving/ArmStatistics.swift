import Synchronization
import Telemetry

/// What one deployed version has done on one endpoint since it was loaded; counters only, read without a lock.
public final class ArmStatistics: Sendable {
    private let answers = Atomic<Int64>(0)
    private let failures = Atomic<Int64>(0)
    /// On the monotonic clock; 0 before there was one.
    private let firstFailure = Atomic<UInt64>(0)
    /// Buckets of latency by powers of two of microseconds: 1, 2, 4, … 2^24 (16.8 s).
    private let buckets: [Counter]

    final class Counter: Sendable {
        let value = Atomic<Int64>(0)
    }

    init() { buckets = (0..<100).map { _ in Counter() } }

    /// Quarter-octave buckets keep the error of a percentile under 19 %.
    private static func bucket(_ nanoseconds: UInt64) -> Int {
        let microquarters = max(1, nanoseconds / 250)
        let octave = 63 - microquarters.leadingZeroBitCount
        let quarter = octave >= 2 ? Int((microquarters >> (UInt64(octave) - 2)) & 3) : 0
        return min(99, octave * 4 + quarter)
    }

    private static func upperBoundMilliseconds(_ bucket: Int) -> Double {
        let octave = Double(UInt64(1) << UInt64(bucket / 4))
        return octave * (1 + Double(bucket % 4 + 1) / 4) * 250 / 1e6
    }

    @inline(__always)
    func succeeded(nanoseconds: UInt64) {
        answers.wrappingAdd(1, ordering: .relaxed)
        buckets[Self.bucket(nanoseconds)].value.wrappingAdd(1, ordering: .relaxed)
    }

    /// Counts a failure and returns how many there have been.
    func failed(atNanoseconds now: UInt64) -> Int64 {
        _ = firstFailure.compareExchange(expected: 0, desired: now, ordering: .relaxed)
        answers.wrappingAdd(1, ordering: .relaxed)
        return failures.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Seconds since the first failure, at a moment of the monotonic clock.
    func secondsSinceFirstFailure(atNanoseconds now: UInt64) -> Double {
        let first = firstFailure.load(ordering: .relaxed)
        return first == 0 || now < first ? 0 : Double(now - first) / 1e9
    }

    /// A reading of the counters.
    public struct Reading: Sendable, Codable, Equatable {
        public var answers: Int64
        public var failures: Int64
        /// Milliseconds; an upper bound within 19 %. Zero where there were no answers.
        public var p50: Double
        public var p99: Double
        public var histogram: [Bucket]

        public struct Bucket: Sendable, Codable, Equatable {
            public var upperMilliseconds: Double
            public var count: Int64
        }

        /// Of a version that has not been asked.
        public static let none = Reading(answers: 0, failures: 0, p50: 0, p99: 0, histogram: [])

        public init(answers: Int64, failures: Int64, p50: Double, p99: Double, histogram: [Bucket]) {
            self.answers = answers
            self.failures = failures
            self.p50 = p50
            self.p99 = p99
            self.histogram = histogram
        }
    }

    public func read() -> Reading {
        let counts = buckets.map { $0.value.load(ordering: .relaxed) }
        let total = counts.reduce(0, +)
        func percentile(_ share: Double) -> Double {
            guard total > 0 else { return 0 }
            let rank = Int64((Double(total) * share).rounded(.up))
            var seen: Int64 = 0
            for (index, count) in counts.enumerated() {
                seen += count
                if seen >= rank { return Self.upperBoundMilliseconds(index) }
            }
            return Self.upperBoundMilliseconds(counts.count - 1)
        }
        let histogram = counts.enumerated().compactMap { index, count in
            count > 0 ? Reading.Bucket(upperMilliseconds: Self.upperBoundMilliseconds(index), count: count) : nil
        }
        return Reading(
            answers: answers.load(ordering: .relaxed), failures: failures.load(ordering: .relaxed),
            p50: percentile(0.5), p99: percentile(0.99), histogram: histogram)
    }
}
