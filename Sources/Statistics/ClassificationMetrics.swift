import Foundation

/// Counts of a binary classifier's answers at a threshold, and the figures that follow from them.
public struct Confusion: Sendable, Codable, Equatable {
    public let truePositives: Int
    public let falsePositives: Int
    public let trueNegatives: Int
    public let falseNegatives: Int

    public init(truePositives: Int, falsePositives: Int, trueNegatives: Int, falseNegatives: Int) {
        self.truePositives = truePositives
        self.falsePositives = falsePositives
        self.trueNegatives = trueNegatives
        self.falseNegatives = falseNegatives
    }

    /// A score of `threshold` or more counts as positive. Nil where counts differ or a score or the threshold is NaN.
    public init?(scores: [Double], labels: [Bool], threshold: Double = 0.5) {
        guard scores.count == labels.count, !threshold.isNaN, !scores.contains(where: \.isNaN) else { return nil }
        var counts = [0, 0, 0, 0]
        for (score, label) in zip(scores, labels) { counts[(score >= threshold ? 0 : 2) + (label ? 0 : 1)] += 1 }
        self.init(
            truePositives: counts[0], falsePositives: counts[1], trueNegatives: counts[3], falseNegatives: counts[2])
    }

    /// The share of right answers; nil without rows.
    public var accuracy: Double? {
        ratio(truePositives + trueNegatives, truePositives + trueNegatives + falsePositives + falseNegatives)
    }

    /// The share of positives among those called positive; nil where none was.
    public var precision: Double? { ratio(truePositives, truePositives + falsePositives) }

    /// The share of positives that were called so; nil without positives.
    public var recall: Double? { ratio(truePositives, truePositives + falseNegatives) }

    /// The share of negatives that were called positive; nil without negatives.
    public var falsePositiveRate: Double? { ratio(falsePositives, falsePositives + trueNegatives) }

    /// The harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN); nil where nothing is or was called positive.
    public var f1: Double? { ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives) }

    private func ratio(_ part: Int, _ whole: Int) -> Double? { whole > 0 ? Double(part) / Double(whole) : nil }
}

/// How good predicted probabilities are. All give nil where counts differ, there are no rows, or a probability is not in
/// 0...1.
public enum ProbabilityMetrics {
    /// Mean negative log likelihood in nats; probabilities are kept 2.2e-16 away from 0 and 1, as scikit-learn does.
    public static func logLoss(probabilities: [Double], labels: [Bool]) -> Double? {
        mean(probabilities, labels) { probability, label in
            let safe = min(1 - Double.ulpOfOne, max(Double.ulpOfOne, probability))
            return -log(label ? safe : 1 - safe)
        }
    }

    /// Brier score: the mean squared distance of the probability from the outcome.
    public static func brier(probabilities: [Double], labels: [Bool]) -> Double? {
        mean(probabilities, labels) { probability, label in
            let off = probability - (label ? 1 : 0)
            return off * off
        }
    }

    static func areUsable(_ probabilities: [Double], _ labels: [Bool]) -> Bool {
        !labels.isEmpty && probabilities.count == labels.count && probabilities.allSatisfy { $0 >= 0 && $0 <= 1 }
    }

    private static func mean(_ probabilities: [Double], _ labels: [Bool], _ loss: (Double, Bool) -> Double) -> Double? {
        guard areUsable(probabilities, labels) else { return nil }
        return zip(probabilities, labels).reduce(0) { $0 + loss($1.0, $1.1) } / Double(labels.count)
    }
}

/// Predicted probabilities against observed shares, bin by bin.
public struct Reliability: Sendable, Codable, Equatable {
    /// One bin of predicted probability that has rows.
    public struct Bin: Sendable, Codable, Equatable {
        public let lower: Double
        public let upper: Double
        public let count: Int
        public let meanProbability: Double
        public let positiveShare: Double
    }

    /// Bins with rows only, ascending.
    public let bins: [Bin]
    /// Expected calibration error: the mean distance of share from probability, weighted by rows. Not 0 for small samples
    /// even of a calibrated model.
    public let expectedError: Double
    /// The largest such distance in any bin.
    public let maximumError: Double

    /// Bins of equal width, right-closed; the first holds 0 too.
    ///
    /// Nil where counts differ, there are no rows, a probability is not in 0...1, or `binCount` is not in 1...10000.
    public init?(probabilities: [Double], labels: [Bool], binCount: Int = 10) {
        guard ProbabilityMetrics.areUsable(probabilities, labels), (1...10_000).contains(binCount) else { return nil }
        let width = Double(binCount)
        var sums = [(count: Int, probability: Double, positives: Int)](repeating: (0, 0, 0), count: binCount)
        for (probability, label) in zip(probabilities, labels) {
            var index = min(binCount - 1, max(0, Int((probability * width).rounded(.up)) - 1))
            // The product rounds, so the edge itself decides.
            if index > 0, probability <= Double(index) / width { index -= 1 }
            if index < binCount - 1, probability > Double(index + 1) / width { index += 1 }
            sums[index].count += 1
            sums[index].probability += probability
            sums[index].positives += label ? 1 : 0
        }
        bins = sums.enumerated().filter { $0.element.count > 0 }.map { index, sum in
            Bin(
                lower: Double(index) / width, upper: Double(index + 1) / width, count: sum.count,
                meanProbability: sum.probability / Double(sum.count),
                positiveShare: Double(sum.positives) / Double(sum.count))
        }
        let gaps = bins.map { abs($0.positiveShare - $0.meanProbability) }
        expectedError = zip(bins, gaps).reduce(0) { $0 + Double($1.0.count) * $1.1 } / Double(labels.count)
        maximumError = gaps.max() ?? 0
    }
}

/// Intervals for shares.
public enum Proportion {
    /// Wilson's score interval (1927) for `successes` out of `trials`. Nil for impossible counts or confidence.
    public static func wilson(successes: Int, trials: Int, confidence: Double = 0.95) -> ClosedRange<Double>? {
        guard trials > 0, (0...trials).contains(successes), confidence > 0, confidence < 1,
            let z = Distribution.normalQuantile(0.5 + confidence / 2)
        else { return nil }
        let n = Double(trials)
        let share = Double(successes) / n
        let scale = 1 + z * z / n
        let center = (share + z * z / (2 * n)) / scale
        let half = z / scale * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
        return (successes == 0 ? 0 : max(0, center - half))...(successes == trials ? 1 : min(1, center + half))
    }
}
