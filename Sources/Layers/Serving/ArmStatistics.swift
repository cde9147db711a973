import Synchronization
import Telemetry

/// What one deployed version has done on one endpoint since it was loaded; counters only, read without a lock.
public final class ArmStatistics: Sendable {
    private let answers = Atomic<Int64>(0)
    private let failures = Atomic<Int64>(0)
    /// On the monotonic clock; 0 before there was one.
    private let firstFailure = Atomic<UInt64>(0)
    private let latencies = CounterRow(latencyBuckets)
    private let outputs = CounterRow(OutputBins.count)

    /// Buckets of latency: four to each power of two of a quarter of a microsecond, up to about 8 s.
    public static let latencyBuckets = 100

    init() {}

    /// Quarter-octave buckets keep the error of a percentile under 19 %.
    private static func bucket(_ nanoseconds: UInt64) -> Int {
        let microquarters = max(1, nanoseconds / 250)
        let octave = 63 - microquarters.leadingZeroBitCount
        let quarter = octave >= 2 ? Int((microquarters >> (UInt64(octave) - 2)) & 3) : 0
        return min(latencyBuckets - 1, octave * 4 + quarter)
    }

    /// The bucket of a latency.
    public static func latencyBucket(milliseconds: Double) -> Int {
        bucket(UInt64(max(0, min(milliseconds, 1e6)) * 1e6))
    }

    private static func upperBoundMilliseconds(_ bucket: Int) -> Double {
        let octave = Double(UInt64(1) << UInt64(bucket / 4))
        return octave * (1 + Double(bucket % 4 + 1) / 4) * 250 / 1e6
    }

    @inline(__always)
    func succeeded(nanoseconds: UInt64, output: Double) {
        answers.wrappingAdd(1, ordering: .relaxed)
        latencies.increment(Self.bucket(nanoseconds))
        outputs.increment(OutputBins.bin(of: output))
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
        /// Answers by bucket of latency, ``ArmStatistics/latencyBuckets`` of them; empty where not counted.
        public var latencies: [Int64]
        /// Answers by bin of the output, ``OutputBins/count`` of them; empty where not counted.
        public var outputs: [Int64]

        enum CodingKeys: String, CodingKey { case answers, failures, p50, p99, histogram }

        public struct Bucket: Sendable, Codable, Equatable {
            public var upperMilliseconds: Double
            public var count: Int64
        }

        /// Of a version that has not been asked.
        public static let none = Reading(answers: 0, failures: 0, p50: 0, p99: 0, histogram: [])

        public init(
            answers: Int64, failures: Int64, p50: Double, p99: Double, histogram: [Bucket], latencies: [Int64] = [],
            outputs: [Int64] = []
        ) {
            self.answers = answers
            self.failures = failures
            self.p50 = p50
            self.p99 = p99
            self.histogram = histogram
            self.latencies = latencies
            self.outputs = outputs
        }

        /// What clients are told; the counts by bin stay here.
        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            self.init(
                answers: try values.decode(Int64.self, forKey: .answers),
                failures: try values.decode(Int64.self, forKey: .failures),
                p50: try values.decode(Double.self, forKey: .p50), p99: try values.decode(Double.self, forKey: .p99),
                histogram: try values.decode([Bucket].self, forKey: .histogram))
        }
    }

    public func read() -> Reading {
        let counts = latencies.read()
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
            p50: percentile(0.5), p99: percentile(0.99), histogram: histogram, latencies: counts,
            outputs: outputs.read())
    }
}
