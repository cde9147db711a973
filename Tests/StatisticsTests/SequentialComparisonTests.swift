import Statistics
import Testing

/// Streams of drawn events, looked at again and again.
@Suite struct SequentialComparisonTests {
    private struct Draws: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    /// The p-value after forty looks at so many new events of either side, drawn from categories by weight.
    private func pValue(
        _ alternative: SequentialComparison.Alternative, reference: [Int], candidate: [Int], seed: UInt64
    ) -> Double {
        var draws = Draws(state: seed &* 7919)
        func draw(_ count: Int, _ weights: [Int]) -> [Int64] {
            var counts = [Int64](repeating: 0, count: weights.count)
            for _ in 0..<count {
                var place = Int.random(in: 0..<weights.reduce(0, +), using: &draws)
                let category = weights.firstIndex {
                    place -= $0
                    return place < 0
                }
                counts[category ?? 0] += 1
            }
            return counts
        }
        let groups = Array(reference.indices)
        var comparison = SequentialComparison(alternative)
        var seen = (draw(40, reference), draw(10, candidate))
        for _ in 0..<40 {
            let new = (draw(40, reference), draw(10, candidate))
            comparison.look(
                seen: seen, new: new,
                grouping: .init(reference: groups, candidate: groups, count: groups.count))
            seen = (zip(seen.0, new.0).map(+), zip(seen.1, new.1).map(+))
        }
        return comparison.pValue
    }

    @Test("over all looks together equals are told apart with a probability of at most alpha")
    func equals() {
        for (alternative, weights) in [
            (SequentialComparison.Alternative.different, [30, 30, 20, 10, 10]), (.more, [90, 10]),
        ] {
            let found = (1...400).filter {
                pValue(alternative, reference: weights, candidate: weights, seed: UInt64($0)) <= 0.05
            }
            #expect(found.count <= 20)
        }
    }

    @Test("others are told apart, and fewer are no evidence where only more would be")
    func others() {
        for seed in 1...20 as ClosedRange<UInt64> {
            #expect(pValue(.more, reference: [95, 5], candidate: [75, 25], seed: seed) < 0.01)
            #expect(pValue(.different, reference: [25, 25, 25, 25], candidate: [10, 10, 30, 50], seed: seed) < 0.01)
            #expect(pValue(.more, reference: [75, 25], candidate: [95, 5], seed: seed) > 0.5)
        }
    }
}
