import Testing

@testable import Serving

/// What runs are taken to cost.
struct RunCostTests {
    @Test func learnsByRows() {
        let cost = RunCost()
        #expect(cost.estimate(rows: 1) == nil)
        cost.learn(rows: 4, nanoseconds: 4000)
        // Fewer rows cost at most as much; more cost at most as much each.
        #expect(cost.estimate(rows: 1) == 4000)
        #expect(cost.estimate(rows: 4) == 4000)
        #expect(cost.estimate(rows: 100) == 100_000)
        cost.learn(rows: 64, nanoseconds: 6400)
        #expect(cost.estimate(rows: 100) == 10_000)
        #expect(cost.estimate(rows: 33) == 33_000)
    }

    @Test func newerRunsWeighMore() {
        let cost = RunCost()
        cost.learn(rows: 1, nanoseconds: 1000)
        cost.learn(rows: 1, nanoseconds: 3000)
        #expect(cost.estimate(rows: 1) == 1250)
        // A single slow one counts as four times what was known.
        cost.learn(rows: 1, nanoseconds: 9_000_000)
        #expect(cost.estimate(rows: 1) == 1250 + (5000 - 1250) / 8.0)
        for _ in 0..<100 { cost.learn(rows: 1, nanoseconds: 5000) }
        #expect(abs((cost.estimate(rows: 1) ?? 0) - 5000) < 1)
    }

    @Test(arguments: [0, -5, Int.max, 1 << 40])
    func takesAnyNumberOfRows(rows: Int) {
        let cost = RunCost()
        cost.learn(rows: rows, nanoseconds: .max)
        #expect((cost.estimate(rows: rows) ?? 0) > 0)
    }
}
