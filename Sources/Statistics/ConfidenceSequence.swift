import Foundation

/// An interval for the mean of a stream of numbers that holds at every moment at once, so that one may look after each
/// number and stop when one likes.
///
///     mean ± s * sqrt(2 (n r² + 1) / (n² r²) * ln(sqrt(n r² + 1) / alpha))
///
/// with the sample's standard deviation s, and r chosen so that the interval is tightest at `tightest` numbers. It is
/// asymptotic: from some hundred numbers on it covers the mean always, with a probability of 1 - alpha. The numbers may
/// depend on those before them as long as their mean given those stays the same. Source: I. Waudby-Smith, D. Arbour,
/// R. Sinha, E. H. Kennedy, A. Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences" (2024).
public struct ConfidenceSequence: Codable, Sendable, Equatable {
    public private(set) var count = 0
    public private(set) var mean = 0.0
    /// The sum of squared distances from the mean.
    private var squares = 0.0
    /// At how many numbers the interval is to be tightest.
    public let tightest: Double

    public init(tightest: Double = 1000) { self.tightest = max(1, tightest) }

    /// Takes in the next number.
    public mutating func add(_ value: Double) {
        count += 1
        let distance = value - mean
        mean += distance / Double(count)
        squares += distance * (value - mean)
    }

    /// The sample's variance; 0 below two numbers.
    public var variance: Double { count > 1 ? squares / Double(count - 1) : 0 }

    /// How far the interval reaches to either side of the mean; infinite below two numbers.
    ///
    /// - Parameter alpha: the probability that it ever leaves the mean out, above 0 and below 1.
    public func radius(alpha: Double) -> Double {
        guard count > 1, alpha > 0, alpha < 1 else { return .infinity }
        let logs = -2 * log(alpha)
        let squared = (logs + log(logs + 1)) / tightest
        let n = Double(count)
        let spread = n * squared + 1
        return (variance * 2 * spread / (n * n * squared) * log(spread.squareRoot() / alpha)).squareRoot()
    }
}
