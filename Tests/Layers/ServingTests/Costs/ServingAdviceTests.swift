import Basics
import Testing

@testable import Serving

/// A workload with what an oracle in Python makes of it.
struct AdviceCase: Sendable, CustomTestStringConvertible {
    let latency: String
    let freshness: String?
    let volume: String
    let rows: Int
    let peak: Double
    let idle: Double
    let row: Double
    let choice: String
    /// A plus for each pattern that is soon enough, in the order of ``ServingPattern``.
    let fits: String
    let perMonth: [Double]

    init(
        _ latency: String, _ freshness: String?, _ volume: String, rows: Int, peak: Double, idle: Double, row: Double,
        _ choice: String, _ fits: String, _ perMonth: [Double]
    ) {
        (self.latency, self.freshness, self.volume, self.rows) = (latency, freshness, volume, rows)
        (self.peak, self.idle, self.row) = (peak, idle, row)
        (self.choice, self.fits, self.perMonth) = (choice, fits, perMonth)
    }

    var testDescription: String { "\(latency) \(freshness ?? "") \(volume) \(rows) rows, \(row) µs" }

    func advice() throws -> ServingAdvice {
        let workload = try Workload(
            latency: try #require(Workload.seconds(of: latency)),
            freshness: try freshness.map { try #require(Workload.seconds(of: $0)) },
            perDay: try #require(Workload.perDay(of: volume)), rowsPerCall: rows, peak: peak, idleHours: idle)
        var figures = CostAssumptions()
        figures.rowSeconds.replace(row * 1e-6, from: "the case")
        return try ServingAdvice(workload, figures)
    }
}

@Suite struct ServingAdviceTests {
    @Test(arguments: AdviceCase.all) func aWorkloadIsServedAsTheOracleSays(_ expected: AdviceCase) throws {
        let advice = try expected.advice()
        #expect(advice.choice?.pattern.rawValue ?? "" == expected.choice)
        #expect(advice.costs.map(\.pattern) == ServingPattern.allCases)
        #expect(advice.costs.map { $0.fits ? "+" : "-" }.joined() == expected.fits)
        for (cost, month) in zip(advice.costs, expected.perMonth) {
            #expect(abs(cost.perMonth - month) <= 1e-9 * max(1, month), "\(cost.pattern): \(cost.perMonth)")
            #expect((cost.perThousand == nil) == (advice.workload.perDay == 0))
            #expect(cost.busyCoreHours <= cost.paidCoreHours * 1.000_001)
        }
    }

    @Test func theTableHasEveryPatternAndEnoughCases() {
        #expect(AdviceCase.all.count >= 30)
        #expect(Set(AdviceCase.all.map(\.choice)) == ["batch", "stream", "real-time", "edge", ""])
    }

    /// Two million a day by an endpoint: two cores for 730 hours at 0.05 are 73, over 60.8 million predictions.
    @Test func theFirstCaseIsWorkedOutByHand() throws {
        let advice = try #require(AdviceCase.all.first).advice()
        let cost = try #require(advice.costs.first { $0.pattern == .realTime })
        #expect(cost.cores == 2)
        #expect(cost.paidCoreHours == 1460)
        #expect(abs(cost.perMonth - 73) < 1e-9)
        #expect(abs(try #require(cost.perThousand) - 73 / 60_833.333_333) < 1e-9)
        // 5 ms, and 40 us * ln 100 / 0.5.
        #expect(abs(cost.soonest - 0.005_368_4) < 1e-6)
        #expect(abs(cost.busyCoreHours - 60_833_333.33 * 40e-6 / 3600) < 1e-4)
    }

    @Test func moreTimeAndFewerPredictionsNeverCostMore() throws {
        let latencies: [Double] = [0.006, 0.05, 1, 30, 63, 600, 7200, 86_400, 300_000]
        for perDay in [0, 1, 1e3, 1e6, 1e9] {
            let costs = try latencies.map {
                try #require(try ServingAdvice(Workload(latency: $0, perDay: perDay)).choice).perMonth
            }
            #expect(zip(costs, costs.dropFirst()).allSatisfy { $0 >= $1 - 1e-9 }, "\(perDay) a day: \(costs)")
        }
        for latency in latencies {
            let costs = try [0, 1, 1e3, 1e6, 1e9].map {
                try #require(try ServingAdvice(Workload(latency: latency, perDay: $0)).choice).perMonth
            }
            #expect(zip(costs, costs.dropFirst()).allSatisfy { $0 <= $1 + 1e-9 }, "\(latency) s: \(costs)")
        }
    }

    @Test(arguments: [
        ("2M/day", 2e6), ("300/s", 25_920_000), ("1.5k/h", 36_000), ("5/min", 7200), ("0/day", 0), ("7/week", 1),
        ("1G/day", 1e9), ("1B/d", 1e9), ("0.5/s", 43_200), ("730/month", 24),
    ]) func volumesAreRead(_ text: String, _ perDay: Double) throws {
        #expect(abs(try #require(Workload.perDay(of: text)) - perDay) <= 1e-9 * perDay)
    }

    @Test(arguments: [
        "", "2M", "/day", "2M/", "2M/year", "-1/day", "1e9/day", "inf/day", "nan/s", "2 M/day", "M/day", "1/2/day",
        "+1/s",
        "1..2/s", "0x10/s", "٣/s",
    ]) func whatIsNoVolumeIsNotRead(_ text: String) { #expect(Workload.perDay(of: text) == nil) }

    @Test(arguments: [
        ("250us", 250e-6), ("50ms", 0.05), ("1.5s", 1.5), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86_400),
        ("1w", 604_800),
    ]) func timesAreRead(_ text: String, _ seconds: Double) throws {
        #expect(abs(try #require(Workload.seconds(of: text)) - seconds) <= 1e-12 * seconds)
    }

    @Test(arguments: ["", "50", "ms", "-5ms", "nans", "5 ms", "infs", "1y", "99999999999999999999d"])
    func whatIsNoTimeIsNotRead(_ text: String) { #expect(Workload.seconds(of: text) == nil) }

    @Test func whatCanNotBeIsRefused() {
        #expect(throws: ServingFailure.self) { try Workload(latency: 0, perDay: 1) }
        #expect(throws: ServingFailure.self) { try Workload(latency: .nan, perDay: 1) }
        #expect(throws: ServingFailure.self) { try Workload(latency: 1, freshness: .infinity, perDay: 1) }
        #expect(throws: ServingFailure.self) { try Workload(latency: 1, perDay: -1) }
        #expect(throws: ServingFailure.self) { try Workload(latency: 1, perDay: 1e16) }
        #expect(throws: ServingFailure.self) { try Workload(latency: 1, perDay: 1, rowsPerCall: 0) }
        #expect(throws: ServingFailure.self) { try Workload(latency: 1, perDay: 1, peak: 0.5) }
        #expect(throws: ServingFailure.self) { try Workload(latency: 1, perDay: 1, idleHours: 24) }
        var figures = CostAssumptions()
        figures.pricePerCoreHour.replace(0, from: "nobody")
        #expect(throws: ServingFailure.self) { try ServingAdvice(Workload(latency: 1, perDay: 1), figures) }
    }

    @Test(arguments: [
        (0.0053684, "5.37 ms"), (60, "60 s"), (62.0, "62 s"), (86_400, "1 d"), (21_598, "6 h"), (300, "5 min"),
        (10e-6, "10 µs"), (1, "1 s"), (0.1, "100 ms"), (0, "0 µs"),
    ]) func timesAreToldInTheUnitThatFits(_ seconds: Double, _ text: String) {
        #expect(CostText.time(seconds) == text)
    }
}
