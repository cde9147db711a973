import Basics
import Registry
import Serving
import Statistics

/// What the arms of a split have come to: whom each was given, what became of it, and how sure one may be that one is
/// better than the control, however often one looks.
///
/// Each label of a unit moves the difference between a challenger c and the control 0 by
///
///     (y - m) * ([arm is c] / p_c - [arm is 0] / p_0)
///
/// with the probability p the request had of its arm, and m the mean of all labels before. Its expectation is the
/// difference of the means, whatever the probabilities were at the time: so the same figure serves an A/B test and a
/// bandit. Source: the augmented inverse propensity score, D. G. Horvitz, D. J. Thompson (1952), J. M. Robins, A. Rotnitzky,
/// L. P. Zhao (1994).
public struct SplitAnalysis: Sendable {
    /// Of one arm.
    public struct ArmReport: Sendable, Codable, Equatable {
        public var version: String
        /// Now.
        public var share: Double
        public var exposures: Int
        /// How many became known.
        public var labels: Int
        /// Of the labels; nil before there is one.
        public var mean: Double?
        /// Of the labels of this arm less those of the control, with its interval; nil for the control, and before it can
        /// be told.
        public var difference: Difference?
    }

    /// A difference between two means.
    public struct Difference: Sendable, Codable, Equatable {
        public var estimate: Double
        /// The interval holds at every look, together with those of the other arms, with a probability of 1 - alpha.
        public var lower: Double
        public var upper: Double
    }

    private struct Tally {
        var exposures = 0
        var labels = 0
        var sum = 0.0
        var squares = 0.0
    }

    private struct Waiting {
        var arm: Int
        var propensity: Double
    }

    /// Labels of an arm and of the control before a difference is told of: fewer are no ground for an asymptotic interval.
    static let leastLabels = 100
    /// How many labels without an exposure are kept, for those that come before it is read.
    private static let straysMax = 100_000

    private let split: TrafficSplit
    private let hash: UInt64
    private var tallies: [Tally]
    /// Of each challenger against the control.
    private var differences: [ConfidenceSequence]
    private var waiting: [String: Waiting] = [:]
    private var strays: [String: Double] = [:]
    /// Units that were exposed before; empty for a bandit, of which each request counts.
    private var units: Set<[UInt8]> = []
    private var pooled = (count: 0, mean: 0.0)
    /// The smallest and largest label.
    private var range: ClosedRange<Double>?

    public init(_ split: TrafficSplit) {
        self.split = split
        hash = SplitMix.hash(split.id)
        tallies = Array(repeating: Tally(), count: split.arms.count)
        differences = Array(repeating: ConfidenceSequence(), count: max(0, split.arms.count - 1))
    }

    /// How many labels have counted.
    public var labels: Int { pooled.count }

    /// Takes in an exposure; those of other splits, and the later ones of a unit of an A/B test, count for nothing.
    public mutating func add(_ exposure: ExposureRecord) {
        guard exposure.split == hash, tallies.indices.contains(exposure.arm) else { return }
        if split.policy == .fixed, !units.insert(exposure.unit).inserted { return }
        tallies[exposure.arm].exposures += 1
        waiting[exposure.id] = Waiting(arm: exposure.arm, propensity: exposure.propensity)
        if let value = strays.removeValue(forKey: exposure.id) {
            add(LabelRecord(id: exposure.id, value: value, time: exposure.time))
        }
    }

    /// Takes in what became of a prediction; the first label of it counts.
    public mutating func add(_ label: LabelRecord) {
        guard let exposure = waiting.removeValue(forKey: label.id) else {
            if strays.count < Self.straysMax { strays[label.id] = label.value }
            return
        }
        let distance = label.value - pooled.mean
        for challenger in differences.indices {
            let sign = exposure.arm == challenger + 1 ? 1.0 : exposure.arm == 0 ? -1.0 : 0
            differences[challenger].add(sign == 0 ? 0 : sign * distance / exposure.propensity)
        }
        pooled.count += 1
        pooled.mean += distance / Double(pooled.count)
        range = min(range?.lowerBound ?? label.value, label.value)...max(range?.upperBound ?? label.value, label.value)
        tallies[exposure.arm].labels += 1
        tallies[exposure.arm].sum += label.value
        tallies[exposure.arm].squares += label.value * label.value
    }

    /// - Parameter present: the split as it is now, with its shares.
    public func report(_ present: TrafficSplit) -> [ArmReport] {
        zip(present.arms, tallies).enumerated().map { index, pair in
            let (arm, tally) = pair
            return ArmReport(
                version: arm.version.description, share: arm.share, exposures: tally.exposures, labels: tally.labels,
                mean: tally.labels > 0 ? tally.sum / Double(tally.labels) : nil, difference: difference(of: index))
        }
    }

    private func difference(of arm: Int) -> Difference? {
        guard arm > 0, tallies[arm].labels >= Self.leastLabels, tallies[0].labels >= Self.leastLabels else {
            return nil
        }
        let sequence = differences[arm - 1]
        let radius = sequence.radius(alpha: split.alpha / Double(differences.count))
        return Difference(estimate: sequence.mean, lower: sequence.mean - radius, upper: sequence.mean + radius)
    }

    /// What can be said of a challenger and the control; nil as long as no interval leaves out zero.
    public var finding: String? {
        for arm in split.arms.indices.dropFirst() {
            guard let found = difference(of: arm), found.lower > 0 || found.upper < 0 else { continue }
            let isBetter = (found.estimate > 0) == (split.goal == .higher)
            func text(_ value: Double) -> String { "\((value * 1e4).rounded() / 1e4)" }
            return
                "\(split.arms[arm].version) is \(isBetter ? "better" : "worse") than \(split.arms[0].version): its labels are \(text(found.estimate)) \(found.estimate > 0 ? "higher" : "lower") in the mean, between \(text(found.lower)) and \(text(found.upper))"
        }
        return nil
    }

    /// The shares a bandit would have now; nil for an A/B test.
    public func shares(_ random: any RandomSource) -> [Double]? {
        switch split.policy {
        case .fixed: return nil
        case .thompson: return probabilitiesOfBeingBest(Draws { random.next() })
        case .epsilonGreedy:
            let rewards = tallies.indices.map { reward(tallies[$0]) }
            guard let best = rewards.indices.max(by: { rewards[$0] < rewards[$1] }) else { return nil }
            let each = split.epsilon / Double(tallies.count)
            return rewards.indices.map { $0 == best ? 1 - split.epsilon + each : each }
        }
    }

    /// An arm without labels is tried first.
    private func reward(_ tally: Tally) -> Double {
        guard tally.labels > 0 else { return .infinity }
        let mean = tally.sum / Double(tally.labels)
        return split.goal == .higher ? mean : -mean
    }

    /// By draws from what is known of each arm's mean: beta for labels from 0 to 1, else normal.
    private func probabilitiesOfBeingBest(_ draws: Draws) -> [Double] {
        let isUnit = range.map { $0.lowerBound >= 0 && $0.upperBound <= 1 } ?? true
        let rounds = 4000
        var wins = [Double](repeating: 0, count: tallies.count)
        for _ in 0..<rounds {
            let drawn = tallies.map { tally -> Double in
                let n = Double(tally.labels)
                let value: Double
                if isUnit {
                    value = draws.beta(1 + tally.sum, 1 + n - tally.sum)
                } else if tally.labels > 1 {
                    let mean = tally.sum / n
                    value = mean + draws.normal() * (max(0, tally.squares / n - mean * mean) / (n - 1)).squareRoot()
                } else {
                    // Nothing is known of its spread yet: let it be tried.
                    return .infinity
                }
                return split.goal == .higher ? value : -value
            }
            let best = drawn.max() ?? 0
            let winners = drawn.indices.filter { drawn[$0] == best }
            for winner in winners { wins[winner] += 1 / Double(winners.count) }
        }
        return wins.map { $0 / Double(rounds) }
    }
}
