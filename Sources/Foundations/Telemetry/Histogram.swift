import Synchronization

/// The distribution of a measured quantity, in the unit it is observed in (seconds for durations).
///
/// It counts twice: into the bounds shown to Prometheus, and into 16 equal parts of each power of two from 2^-20
/// (0.95 millionths) to 2^20, from which `quantile` answers with less than 5% relative error (a part is 1/16 wide, and
/// its middle is at most 1/32, 3.2%, away).
public final class Histogram: Sendable {
    /// The upper bounds shown to Prometheus, ascending, without the last one, which is infinite.
    public let bounds: [Double]

    private static let parts = 16
    private static let lowestExponent = -20
    private static let octaves = 40
    private static let fineCount = octaves * parts

    // An array can not hold atomics; these live as long as the histogram and never move.
    private nonisolated(unsafe) let coarse: UnsafeMutableBufferPointer<Atomic<UInt64>>
    private nonisolated(unsafe) let fine: UnsafeMutableBufferPointer<Atomic<UInt64>>
    private let total = Atomic<UInt64>(0)

    init(bounds: [Double]) {
        self.bounds = Set(bounds.filter(\.isFinite)).sorted()
        coarse = Histogram.counters(self.bounds.count + 1)
        fine = Histogram.counters(Histogram.fineCount)
    }

    deinit {
        coarse.deinitialize().deallocate()
        fine.deinitialize().deallocate()
    }

    private static func counters(_ count: Int) -> UnsafeMutableBufferPointer<Atomic<UInt64>> {
        let buffer = UnsafeMutableBufferPointer<Atomic<UInt64>>.allocate(capacity: count)
        for index in 0..<count { buffer.initializeElement(at: index, to: Atomic(0)) }
        return buffer
    }

    /// Counts one value; NaN is ignored.
    public func observe(_ value: Double) {
        guard !value.isNaN else { return }
        var index = 0
        while index < bounds.count, value > bounds[index] { index += 1 }
        coarse[index].wrappingAdd(1, ordering: .relaxed)
        fine[Histogram.part(of: value)].wrappingAdd(1, ordering: .relaxed)
        total.add(value)
    }

    /// Counts a duration in seconds.
    public func observe(nanoseconds: UInt64) { observe(Double(nanoseconds) * 1e-9) }

    /// How many values were observed.
    public var count: UInt64 { coarse.indices.reduce(0) { $0 &+ coarse[$1].load(ordering: .relaxed) } }

    /// The sum of all observed values.
    public var sum: Double { Double(bitPattern: total.load(ordering: .relaxed)) }

    /// The value below which a share of all observations lies, or nil before the first one.
    /// - Parameter share: between 0 and 1, such as 0.99; outside values count as the nearer end.
    public func quantile(_ share: Double) -> Double? {
        let counts = fine.indices.map { fine[$0].load(ordering: .relaxed) }
        let all = counts.reduce(0, &+)
        guard all > 0 else { return nil }
        let rank = max(1, (min(1, max(0, share)) * Double(all)).rounded(.up))
        var seen = 0.0
        for (index, count) in counts.enumerated() {
            seen += Double(count)
            if seen >= rank { return Histogram.middle(of: index) }
        }
        return Histogram.middle(of: Histogram.fineCount - 1)
    }

    /// Counts at or below each bound, then all; a consistent snapshot for one scrape.
    func cumulative() -> [UInt64] {
        var running: UInt64 = 0
        return coarse.indices.map { index in
            running &+= coarse[index].load(ordering: .relaxed)
            return running
        }
    }

    // The exponent and the top four bits of the fraction of a double are the number of its part.
    private static func part(of value: Double) -> Int {
        guard value > 0 else { return 0 }
        let position = Int(value.bitPattern >> 48) - ((1023 + lowestExponent) << 4)
        return min(max(0, position), fineCount - 1)
    }

    private static func middle(of part: Int) -> Double {
        let low = Double(bitPattern: UInt64(part + ((1023 + lowestExponent) << 4)) << 48)
        let high = Double(bitPattern: UInt64(part + 1 + ((1023 + lowestExponent) << 4)) << 48)
        return (low + high) / 2
    }

    /// Bounds that fit request durations, from 0.1 ms to 30 s.
    public static let durationBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]
}
