import Foundation

/// Evidence that two streams of events differ, which may be looked at after every event and still be believed.
///
/// The null hypothesis is that both draw from one distribution over the same categories. Each look multiplies the
/// evidence by the likelihood of what came since the last one under two distributions, estimated from what had been seen
/// *before* it, over its likelihood under their mixture:
///
///     E = prod over a of p(a) / m(a)  *  prod over b of q(b) / m(b),    m = (n_a p + n_b q) / (n_a + n_b)
///
/// Its expectation under the null is at most 1, whatever the distribution is and however many events each side brings,
/// so the product is a test martingale, and by Ville's inequality it ever reaches 1 / alpha with a probability of at
/// most alpha. Source: R. J. Turner, A. Ly, P. D. Grünwald, "Generic E-variables for exact sequential k-sample tests that
/// allow for optional stopping" (2024).
public struct SequentialComparison: Codable, Sendable, Equatable {
    /// What would count as a difference.
    public enum Alternative: String, Codable, Sendable {
        /// Any other distribution.
        case different
        /// Of two groups, the candidate falls into the second more often. Falling into it less often is no evidence.
        case more
    }

    /// How the categories are put together at one look; may be chosen from what was seen before it, never from what is
    /// new. `reference` and `candidate` may differ, where a margin is granted.
    public struct Grouping: Sendable, Equatable {
        /// The group of each category.
        public var reference: [Int]
        public var candidate: [Int]
        public var count: Int

        public init(reference: [Int], candidate: [Int], count: Int) {
            self.reference = reference
            self.candidate = candidate
            self.count = count
        }
    }

    /// How many events the pooled estimate counts for when a side's own is made; keeps early bets small.
    static let shrinkage = 20.0

    public let alternative: Alternative
    /// The natural logarithm of the evidence now.
    public private(set) var logEvidence = 0.0
    /// The largest it has been.
    public private(set) var strongest = 0.0

    public init(_ alternative: Alternative) { self.alternative = alternative }

    /// At most `alpha` with a probability of at most `alpha` under the null, over all looks together.
    public var pValue: Double { min(1, exp(-strongest)) }

    /// Takes one look.
    ///
    /// - Parameters:
    ///   - seen: the events of all looks before, by category: reference, candidate.
    ///   - new: the events since the last look, by category: reference, candidate.
    ///   - grouping: lists of the same length as those; what does not fit is not looked at.
    public mutating func look(
        seen: (reference: [Int64], candidate: [Int64]), new: (reference: [Int64], candidate: [Int64]),
        grouping: Grouping
    ) {
        let before = (
            Self.group(seen.reference, grouping.reference, grouping.count),
            Self.group(seen.candidate, grouping.candidate, grouping.count)
        )
        let now = (
            Self.group(new.reference, grouping.reference, grouping.count),
            Self.group(new.candidate, grouping.candidate, grouping.count)
        )
        let (referenceCount, candidateCount) = (now.0.reduce(0, +), now.1.reduce(0, +))
        // Without events on both sides, or anything to learn from, the look can say nothing.
        guard grouping.count > 1, referenceCount > 0, candidateCount > 0, before.0.reduce(0, +) > 0,
            before.1.reduce(0, +) > 0
        else { return }
        let (p, q) = Self.estimates(before.0, before.1)
        if alternative == .more, q[1] <= p[1] { return }
        var log = 0.0
        for group in 0..<grouping.count {
            let mixture =
                (referenceCount * p[group] + candidateCount * q[group]) / (referenceCount + candidateCount)
            log += now.0[group] * Foundation.log(p[group] / mixture)
            log += now.1[group] * Foundation.log(q[group] / mixture)
        }
        logEvidence += log
        strongest = max(strongest, logEvidence)
    }

    private static func group(_ counts: [Int64], _ groups: [Int], _ count: Int) -> [Double] {
        var sums = [Double](repeating: 0, count: max(0, count))
        for (value, group) in zip(counts, groups) where sums.indices.contains(group) { sums[group] += Double(value) }
        return sums
    }

    /// The shares of both sides, drawn towards those of both together; never 0.
    private static func estimates(_ reference: [Double], _ candidate: [Double]) -> ([Double], [Double]) {
        let (total, other) = (reference.reduce(0, +), candidate.reduce(0, +))
        let half = 0.5 * Double(reference.count)
        let pooled = zip(reference, candidate).map { ($0 + $1 + 0.5) / (total + other + half) }
        func shares(_ counts: [Double], _ sum: Double) -> [Double] {
            zip(counts, pooled).map { ($0 + shrinkage * $1) / (sum + shrinkage) }
        }
        return (shares(reference, total), shares(candidate, other))
    }
}
