import Foundation

/// Distances between two distributions over the same bins, from their counts.
///
/// Every function gives nil where the lists differ in length, are empty, hold a negative count, or sum to 0.
public enum Divergence {
    /// The share an emptier bin is taken to have in `populationStability` and `kullbackLeibler`, whose logarithm has no
    /// value at 0.
    public static let smallestShare = 1e-4

    /// Population stability index: the sum of (p - q) ln(p / q) over the bins, 0 or more.
    ///
    /// Shares below `smallestShare` count as `smallestShare` on either side, and shares are not scaled again after that; a
    /// bin empty on both sides adds nothing. Rules of thumb: below 0.1 stable, above 0.25 shifted.
    public static func populationStability(_ reference: [Int], _ current: [Int]) -> Double? {
        guard let (p, q) = shares(reference, current) else { return nil }
        return zip(p, q).reduce(0) { sum, pair in
            let (a, b) = (max(pair.0, smallestShare), max(pair.1, smallestShare))
            return sum + (a - b) * log(a / b)
        }
    }

    /// Kullback-Leibler divergence of the current from the reference shares, in nats: the sum of p ln(p / q). Bins empty in
    /// the reference add nothing; bins empty in the current sample count as `smallestShare`.
    public static func kullbackLeibler(_ reference: [Int], _ current: [Int]) -> Double? {
        guard let (p, q) = shares(reference, current) else { return nil }
        return zip(p, q).reduce(0) { $0 + ($1.0 > 0 ? $1.0 * log($1.0 / max($1.1, smallestShare)) : 0) }
    }

    /// Jensen-Shannon divergence to base 2, from 0 (equal) to 1 (nothing in common). Empty bins need no rule.
    public static func jensenShannon(_ reference: [Int], _ current: [Int]) -> Double? {
        guard let (p, q) = shares(reference, current) else { return nil }
        let sum = zip(p, q).reduce(0) { sum, pair in
            let middle = (pair.0 + pair.1) / 2
            return sum + (pair.0 > 0 ? pair.0 * log2(pair.0 / middle) : 0)
                + (pair.1 > 0 ? pair.1 * log2(pair.1 / middle) : 0)
        }
        return min(1, max(0, sum / 2))
    }

    /// Jensen-Shannon distance to base 2: the square root of the divergence, a metric from 0 to 1.
    public static func jensenShannonDistance(_ reference: [Int], _ current: [Int]) -> Double? {
        jensenShannon(reference, current).map { $0.squareRoot() }
    }

    /// Hellinger distance, from 0 to 1.
    public static func hellinger(_ reference: [Int], _ current: [Int]) -> Double? {
        guard let (p, q) = shares(reference, current) else { return nil }
        let sum = zip(p, q).reduce(0) { $0 + pow($1.0.squareRoot() - $1.1.squareRoot(), 2) }
        return min(1, (sum / 2).squareRoot())
    }

    /// The largest difference of shares in any bin.
    public static func largestShift(_ reference: [Int], _ current: [Int]) -> Double? {
        guard let (p, q) = shares(reference, current) else { return nil }
        return zip(p, q).map { abs($0 - $1) }.max()
    }

    private static func shares(_ reference: [Int], _ current: [Int]) -> ([Double], [Double])? {
        guard reference.count == current.count, let p = shares(reference), let q = shares(current) else { return nil }
        return (p, q)
    }

    private static func shares(_ counts: [Int]) -> [Double]? {
        guard counts.allSatisfy({ $0 >= 0 }) else { return nil }
        let total = counts.reduce(0.0) { $0 + Double($1) }
        return total > 0 ? counts.map { Double($0) / total } : nil
    }
}

/// Pearson's chi-square test of whether two samples share their distribution over categories.
public struct ChiSquare: Sendable, Equatable {
    public let statistic: Double
    public let degrees: Int
    public let pValue: Double

    /// The test on the 2 x k table of counts; categories absent from both samples are left out.
    ///
    /// - Parameter correction: Yates' correction where there is one degree of freedom.
    ///
    /// Nil where the lists differ in length, hold a negative count, a sample is empty, or fewer than two categories remain.
    public init?(_ reference: [Int], _ current: [Int], correction: Bool = true) {
        guard reference.count == current.count, (reference + current).allSatisfy({ $0 >= 0 }) else { return nil }
        let pairs = zip(reference, current).map { (Double($0), Double($1)) }.filter { $0.0 + $0.1 > 0 }
        let (n, m) = pairs.reduce((0.0, 0.0)) { ($0.0 + $1.0, $0.1 + $1.1) }
        guard pairs.count >= 2, n > 0, m > 0 else { return nil }
        let yates = correction && pairs.count == 2
        var sum = 0.0
        for (a, b) in pairs {
            for (observed, size) in [(a, n), (b, m)] {
                let expected = (a + b) * size / (n + m)
                let off = abs(observed - expected)
                let corrected = yates ? off - min(0.5, off) : off
                sum += corrected * corrected / expected
            }
        }
        guard let tail = Distribution.chiSquareUpperTail(sum, degrees: Double(pairs.count - 1)) else { return nil }
        statistic = sum
        degrees = pairs.count - 1
        pValue = tail
    }
}
