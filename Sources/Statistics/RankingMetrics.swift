import Foundation

/// The area under the ROC curve with DeLong's variance.
public struct RankingQuality: Sendable, Equatable {
    /// The chance that a positive scores above a negative, ties counting half.
    public let auc: Double
    /// DeLong's estimate of the variance of `auc`; nil where a class has a single row.
    public let variance: Double?

    // Per row of each class, the share of the other class it is ranked rightly against.
    fileprivate let positiveParts: [Double]
    fileprivate let negativeParts: [Double]

    /// Nil where counts differ, a score is NaN, or a class is absent.
    ///
    /// By midranks (Sun and Xu 2014), in n log n.
    public init?(scores: [Double], labels: [Bool]) {
        guard scores.count == labels.count, !scores.contains(where: \.isNaN) else { return nil }
        var positives: [Double] = []
        var negatives: [Double] = []
        for (score, label) in zip(scores, labels) {
            if label { positives.append(score) } else { negatives.append(score) }
        }
        guard !positives.isEmpty, !negatives.isEmpty else { return nil }
        let (p, n) = (Double(positives.count), Double(negatives.count))
        let together = Ranks.midranks(positives + negatives)
        let amongPositives = Ranks.midranks(positives)
        let amongNegatives = Ranks.midranks(negatives)
        positiveParts = amongPositives.indices.map { (together[$0] - amongPositives[$0]) / n }
        negativeParts = amongNegatives.indices.map { 1 - (together[positives.count + $0] - amongNegatives[$0]) / p }
        // Midranks are halves, so their sum is exact and equal rankings give equal bits.
        auc = (together[..<positives.count].reduce(0, +) - p * (p + 1) / 2) / (p * n)
        variance =
            positives.count > 1 && negatives.count > 1
            ? Ranks.covariance(positiveParts, positiveParts) / p + Ranks.covariance(negativeParts, negativeParts) / n
            : nil
    }

    /// A normal interval around `auc`, cut to 0...1. Nil without a variance or for a confidence outside (0, 1).
    public func interval(confidence: Double = 0.95) -> ClosedRange<Double>? {
        guard let variance, confidence > 0, confidence < 1, let z = Distribution.normalQuantile(0.5 + confidence / 2)
        else {
            return nil
        }
        let half = z * max(0, variance).squareRoot()
        return max(0, auc - half)...min(1, auc + half)
    }
}

/// DeLong's test of whether two models rank the same rows equally well (DeLong, DeLong and Clarke-Pearson 1988).
public struct PairedRankingTest: Sendable, Equatable {
    /// AUC of the first less AUC of the second.
    public let difference: Double
    public let standardError: Double
    /// Two-sided; 1 where the models rank all rows alike, 0 where they differ without any variance.
    public let pValue: Double

    /// Nil where counts differ, a score is NaN, or a class has fewer than two rows.
    public init?(first: [Double], second: [Double], labels: [Bool]) {
        guard let a = RankingQuality(scores: first, labels: labels),
            let b = RankingQuality(scores: second, labels: labels),
            a.variance != nil, b.variance != nil
        else { return nil }
        // The variance of the difference is the variance of the parts' differences: no cancellation of large terms.
        let positive = zip(a.positiveParts, b.positiveParts).map { $0 - $1 }
        let negative = zip(a.negativeParts, b.negativeParts).map { $0 - $1 }
        let variance =
            Ranks.covariance(positive, positive) / Double(positive.count)
            + Ranks.covariance(negative, negative) / Double(negative.count)
        difference = a.auc - b.auc
        standardError = max(0, variance).squareRoot()
        if standardError > 0 {
            pValue = min(1, 2 * Distribution.normalUpperTail(abs(difference) / standardError))
        } else {
            pValue = difference == 0 ? 1 : 0
        }
    }

    /// A normal interval around `difference`, cut to -1...1. Nil for a confidence outside (0, 1).
    public func interval(confidence: Double = 0.95) -> ClosedRange<Double>? {
        guard confidence > 0, confidence < 1, let z = Distribution.normalQuantile(0.5 + confidence / 2) else {
            return nil
        }
        return max(-1, difference - z * standardError)...min(1, difference + z * standardError)
    }
}

enum Ranks {
    /// Ranks from 1 in ascending order; equal values share the mean of theirs. No NaN.
    static func midranks(_ values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Double](repeating: 0, count: values.count)
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
            let rank = Double(start + 1 + end) / 2
            for position in start..<end { ranks[order[position]] = rank }
            start = end
        }
        return ranks
    }

    /// Sample covariance (divided by n - 1); 0 for a single pair.
    static func covariance(_ a: [Double], _ b: [Double]) -> Double {
        guard a.count > 1, a.count == b.count else { return 0 }
        let meanA = a.reduce(0, +) / Double(a.count)
        let meanB = b.reduce(0, +) / Double(b.count)
        return zip(a, b).reduce(0) { $0 + ($1.0 - meanA) * ($1.1 - meanB) } / Double(a.count - 1)
    }
}
