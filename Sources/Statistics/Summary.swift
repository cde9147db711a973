import Foundation

/// Moments and extremes of the finite values of a sample.
public struct Summary: Sendable, Codable, Equatable {
    /// Finite values.
    public let count: Int
    /// Values that are NaN or infinite.
    public let missing: Int
    public let mean: Double
    /// Population standard deviation (divided by n).
    public let standardDeviation: Double
    public let minimum: Double
    public let maximum: Double

    /// Nil where no value is finite.
    public init?(_ values: [Double]) {
        var count = 0
        var mean = 0.0
        var squares = 0.0
        var minimum = Double.infinity
        var maximum = -Double.infinity
        // Welford (1962): one pass, and no loss of digits where the mean is far from 0.
        for value in values where value.isFinite {
            count += 1
            let delta = value - mean
            mean += delta / Double(count)
            squares += delta * (value - mean)
            minimum = min(minimum, value)
            maximum = max(maximum, value)
        }
        guard count > 0, mean.isFinite, squares.isFinite else { return nil }
        self.count = count
        self.missing = values.count - count
        self.mean = mean
        self.standardDeviation = (squares / Double(count)).squareRoot()
        self.minimum = minimum
        self.maximum = maximum
    }
}

/// Quantiles by linear interpolation between order statistics, as numpy's default has them.
public enum Quantile {
    /// The quantile at `probability` (0 to 1) of values in ascending order.
    ///
    /// Nil where the sample is empty, holds NaN at an end it would sort to, or `probability` is out of range.
    public static func of(sorted: [Double], at probability: Double) -> Double? {
        guard let first = sorted.first, let last = sorted.last, (0...1).contains(probability), !first.isNaN, !last.isNaN
        else {
            return nil
        }
        let position = probability * Double(sorted.count - 1)
        let below = min(Int(position), sorted.count - 1)
        let above = min(below + 1, sorted.count - 1)
        let fraction = position - Double(below)
        let (low, high) = (sorted[below], sorted[above])
        guard fraction > 0, low != high else { return low }
        // From the nearer end, as numpy does, so that both ends are met exactly.
        return fraction < 0.5 ? low + (high - low) * fraction : high - (high - low) * (1 - fraction)
    }

    /// The quantiles at `probabilities` of values in any order; NaN values are left out. Nil where none is left or a
    /// probability is out of range.
    public static func of(_ values: [Double], at probabilities: [Double]) -> [Double]? {
        let sorted = values.filter { !$0.isNaN }.sorted()
        var result: [Double] = []
        for probability in probabilities {
            guard let value = of(sorted: sorted, at: probability) else { return nil }
            result.append(value)
        }
        return result
    }
}
