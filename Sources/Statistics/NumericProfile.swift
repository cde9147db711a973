/// What is kept of a numeric sample so that later samples can be compared with it without the sample itself.
///
/// NaN and infinite values count as missing.
public struct NumericProfile: Sendable, Codable, Equatable {
    /// At most this many order statistics are kept.
    public static let sketchSize = 512

    /// Moments and extremes of the finite values.
    public let summary: Summary
    /// Bins of about equal shares.
    public let bins: NumericBins
    /// Finite values of the reference in each bin.
    public let counts: [Int]
    /// Order statistics of the reference at evenly spaced ranks, from the minimum to the maximum; all of them where there
    /// are `sketchSize` or fewer.
    public let sketch: [Double]

    /// Nil where no value is finite.
    ///
    /// - Parameter bins: how many at most, 2 or more.
    public init?(_ values: [Double], bins binCount: Int = 10) {
        let sorted = values.filter(\.isFinite).sorted()
        guard let summary = Summary(values), let bins = NumericBins(quantilesOf: sorted, bins: binCount) else {
            return nil
        }
        self.summary = summary
        self.bins = bins
        counts = bins.counts(of: sorted).bins
        let size = min(sorted.count, NumericProfile.sketchSize)
        sketch = (0..<size).map { sorted[NumericProfile.rank($0, of: size, in: sorted.count)] }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        summary = try container.decode(Summary.self, forKey: .summary)
        bins = try container.decode(NumericBins.self, forKey: .bins)
        counts = try container.decode([Int].self, forKey: .counts)
        sketch = try container.decode([Double].self, forKey: .sketch)
        guard NumericBins(edges: bins.edges) != nil, counts.count == bins.count, counts.allSatisfy({ $0 >= 0 }),
            summary.count > 0, summary.missing >= 0, sketch.count == min(summary.count, NumericProfile.sketchSize),
            zip(sketch, sketch.dropFirst()).allSatisfy({ $0 <= $1 })
        else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath, debugDescription: "the numeric profile contradicts itself"))
        }
    }

    /// The counts of the reference by bin with the missing values last: the layout `currentCounts` has too.
    public var referenceCounts: [Int] { counts + [summary.missing] }

    /// How many of `values` fall into each bin, with the missing ones last.
    public func currentCounts(of values: [Double]) -> [Int] {
        var counts = [Int](repeating: 0, count: bins.count + 1)
        for value in values { counts[value.isFinite ? bins.index(of: value) : bins.count] += 1 }
        return counts
    }

    /// Population stability index of `values` against the reference, missing values a bin of their own. Nil for no values.
    public func populationStability(of values: [Double]) -> Double? {
        Divergence.populationStability(referenceCounts, currentCounts(of: values))
    }

    /// Kolmogorov-Smirnov distance of the finite ones among `values` from the reference, with its asymptotic p-value.
    ///
    /// The distance is exact where the sketch holds the whole reference. Otherwise the reference's distribution function is
    /// known between two kept ranks only, and its middle is taken: the distance is off by at most
    /// 1 / (2 (sketchSize - 1)) + 1 / n, about 0.001. Nil where no value is finite.
    public func kolmogorovSmirnov(of values: [Double]) -> (statistic: Double, pValue: Double)? {
        let current = values.filter(\.isFinite).sorted()
        guard !current.isEmpty, !sketch.isEmpty else { return nil }
        var (i, j, widest) = (0, 0, 0.0)
        while i < sketch.count || j < current.count {
            let value =
                i < sketch.count ? (j < current.count ? min(sketch[i], current[j]) : sketch[i]) : current[j]
            while i < sketch.count, sketch[i] == value { i += 1 }
            while j < current.count, current[j] == value { j += 1 }
            widest = max(widest, abs(shareBelow(kept: i) - Double(j) / Double(current.count)))
        }
        return (widest, KolmogorovSmirnov.asymptoticTail(statistic: widest, summary.count, current.count))
    }

    /// The reference's distribution function where `kept` values of the sketch are not above the point.
    private func shareBelow(kept: Int) -> Double {
        guard kept > 0 else { return 0 }
        guard kept < sketch.count else { return 1 }
        let low = NumericProfile.rank(kept - 1, of: sketch.count, in: summary.count) + 1
        let high = NumericProfile.rank(kept, of: sketch.count, in: summary.count)
        return Double(low + high) / (2 * Double(summary.count))
    }

    /// The rank in a sample of `total` values of the `index`th of `size` kept ones.
    private static func rank(_ index: Int, of size: Int, in total: Int) -> Int {
        guard size > 1 else { return 0 }
        return Int((Double(index) * Double(total - 1) / Double(size - 1)).rounded())
    }
}
