import Foundation
import Serving
import Statistics

/// What a candidate's answers tell beside those of the stable version, looked at as often as one likes.
///
/// Four comparisons share the rollout's `alpha` equally, so that a candidate that is no worse is taken back by chance with
/// a probability of at most `alpha`, however often it is looked at: failures, typical latency, high latency, and outputs.
public struct RolloutAnalysis: Codable, Sendable, Equatable {
    /// What a comparison found.
    public struct Evidence: Codable, Sendable, Equatable {
        /// `errors`, `latency`, `tail latency` or `outputs`.
        public var name: String
        /// At most `alpha / 4` where it counts; valid at every look.
        public var pValue: Double
        /// How far apart both are: a ratio of shares, and for outputs the population stability index.
        public var effect: Double
    }

    fileprivate struct Counts: Codable, Sendable, Equatable {
        var reference: [Int64] = []
        var candidate: [Int64] = []

        /// What came since; counters that are smaller than before began again with the process.
        func new(_ now: Counts) -> Counts {
            Counts(
                reference: Self.difference(reference, now.reference),
                candidate: Self.difference(candidate, now.candidate))
        }

        mutating func add(_ new: Counts) {
            reference = Self.sum(reference, new.reference)
            candidate = Self.sum(candidate, new.candidate)
        }

        private static func difference(_ before: [Int64], _ now: [Int64]) -> [Int64] {
            guard before.count == now.count, zip(before, now).allSatisfy({ $0 <= $1 }) else { return now }
            return zip(before, now).map { $1 - $0 }
        }

        private static func sum(_ one: [Int64], _ other: [Int64]) -> [Int64] {
            one.isEmpty ? other : zip(one, other).map { $0 &+ $1 }
        }
    }

    /// One stretch of events: what was read last, and what has been seen in all.
    private struct Stretch: Codable, Sendable, Equatable {
        var last = Counts()
        var seen = Counts()

        mutating func look(
            at now: Counts, _ body: (_ seen: Counts, _ new: Counts) -> Void
        ) {
            let new = last.new(now)
            body(seen, new)
            seen.add(new)
            last = now
        }
    }

    /// The least answers of the candidate from which the spread of its outputs can be told: some twenty in each tenth.
    private static let leastOutputs: Int64 = 200

    private var failures = Stretch()
    private var latencies = Stretch()
    private var outputs = Stretch()
    private var moreFailures = SequentialComparison(.more)
    private var slower = SequentialComparison(.more)
    private var slowerTail = SequentialComparison(.more)
    private var otherOutputs = SequentialComparison(.different)

    public init() {}

    /// Takes in what both arms have done.
    ///
    /// - Parameters:
    ///   - slowdown: how many times as slow the candidate may be before that counts as a difference, 1 or more.
    ///   - harmless: milliseconds that are no harm to anybody, however much faster the stable version is.
    public mutating func look(
        stable: ArmStatistics.Reading, candidate: ArmStatistics.Reading, slowdown: Double, harmless: Double
    ) {
        func outcomes(_ reading: ArmStatistics.Reading) -> [Int64] {
            [reading.answers - reading.failures, reading.failures]
        }
        failures.look(at: Counts(reference: outcomes(stable), candidate: outcomes(candidate))) { seen, new in
            let grouping = SequentialComparison.Grouping(reference: [0, 1], candidate: [0, 1], count: 2)
            moreFailures.look(seen, new, grouping)
        }
        // Four buckets to each doubling; a part of one is granted as a whole.
        let granted = Int((4 * log2(max(1, min(slowdown, 1024)))).rounded(.up))
        let floor = ArmStatistics.latencyBucket(milliseconds: harmless)
        latencies.look(at: Counts(reference: stable.latencies, candidate: candidate.latencies)) { seen, new in
            slower.look(seen, new, Self.above(0.5, of: seen.reference, granted: granted, floor: floor))
            slowerTail.look(seen, new, Self.above(0.95, of: seen.reference, granted: granted, floor: floor))
        }
        outputs.look(at: Counts(reference: stable.outputs, candidate: candidate.outputs)) { seen, new in
            otherOutputs.look(seen, new, Self.tenths(of: seen.reference))
        }
    }

    /// What all comparisons have come to.
    public var evidence: [Evidence] {
        let tenths = Self.tenths(of: outputs.seen.reference)
        func shares(_ counts: [Int64]) -> Double {
            let sum = counts.reduce(0, +)
            return sum > 0 ? Double(counts.last ?? 0) / Double(sum) : 0
        }
        let (stable, candidate) = (shares(failures.seen.reference), shares(failures.seen.candidate))
        return [
            Evidence(name: "errors", pValue: moreFailures.pValue, effect: candidate - stable),
            Evidence(name: "latency", pValue: slower.pValue, effect: ratio(0.5)),
            Evidence(name: "tail latency", pValue: slowerTail.pValue, effect: ratio(0.95)),
            Evidence(
                name: "outputs", pValue: otherOutputs.pValue,
                effect: Divergence.populationStability(
                    Self.sums(outputs.seen.reference, tenths.reference, tenths.count),
                    Self.sums(outputs.seen.candidate, tenths.candidate, tenths.count)) ?? 0),
        ]
    }

    /// Why the candidate must not go on; nil where nothing speaks against it.
    ///
    /// - Parameters:
    ///   - alpha: the probability, over the whole rollout, of taking back a candidate that is no worse.
    ///   - shift: the population stability index of the outputs up to which a difference is let be.
    public func objection(alpha: Double, shift: Double) -> String? {
        for found in evidence where found.pValue <= alpha / 4 {
            let p = String(format: "%.2g", found.pValue)
            switch found.name {
            case "errors":
                return String(
                    format: "it fails %.2g %% more often than the stable version (p = \(p))", found.effect * 100)
            case "outputs":
                guard found.effect > shift, outputs.seen.candidate.reduce(0, +) >= Self.leastOutputs else { continue }
                return String(
                    format:
                        "its outputs are spread otherwise than those of the stable version: PSI %.2g, over %.2g (p = \(p))",
                    found.effect, shift)
            default:
                return String(
                    format: "its \(found.name) is %.3g times that of the stable version (p = \(p))", found.effect)
            }
        }
        return nil
    }

    /// How many times the candidate's quantile of latency is the stable version's, within a bucket.
    private func ratio(_ quantile: Double) -> Double {
        guard let stable = Self.bucket(quantile, of: latencies.seen.reference),
            let candidate = Self.bucket(quantile, of: latencies.seen.candidate)
        else { return 1 }
        return exp2(Double(candidate - stable) / 4)
    }

    /// Two groups: up to the quantile of `counts`, and above it; the candidate's begins `granted` buckets later, and not
    /// before `floor`.
    private static func above(
        _ quantile: Double, of counts: [Int64], granted: Int, floor: Int
    ) -> SequentialComparison.Grouping {
        guard let bucket = bucket(quantile, of: counts) else { return .init(reference: [], candidate: [], count: 0) }
        return SequentialComparison.Grouping(
            reference: counts.indices.map { $0 > bucket ? 1 : 0 },
            candidate: counts.indices.map { $0 > max(bucket + granted, floor) ? 1 : 0 }, count: 2)
    }

    /// About ten groups with as many of `counts` in each.
    private static func tenths(of counts: [Int64]) -> SequentialComparison.Grouping {
        let total = counts.reduce(0, +)
        guard total > 0 else { return .init(reference: [], candidate: [], count: 0) }
        var groups: [Int] = []
        var (group, inGroup) = (0, Int64(0))
        for count in counts {
            groups.append(group)
            inGroup += count
            if inGroup * 10 >= total {
                group += 1
                inGroup = 0
            }
        }
        return .init(reference: groups, candidate: groups, count: group + 1)
    }

    private static func bucket(_ quantile: Double, of counts: [Int64]) -> Int? {
        let total = counts.reduce(0, +)
        guard total > 0 else { return nil }
        var seen: Int64 = 0
        for (index, count) in counts.enumerated() {
            seen += count
            if Double(seen) >= quantile * Double(total) { return index }
        }
        return counts.count - 1
    }

    /// Counts by group, with one more in each, so that one which is empty by chance does not weigh as much as one that is
    /// empty for good.
    private static func sums(_ counts: [Int64], _ groups: [Int], _ count: Int) -> [Int] {
        var sums = [Int](repeating: 1, count: max(0, count))
        for (value, group) in zip(counts, groups) where sums.indices.contains(group) { sums[group] += Int(value) }
        return sums
    }
}

extension SequentialComparison {
    fileprivate mutating func look(
        _ seen: RolloutAnalysis.Counts, _ new: RolloutAnalysis.Counts, _ grouping: Grouping
    ) {
        look(
            seen: (seen.reference, seen.candidate), new: (new.reference, new.candidate), grouping: grouping)
    }
}
