import Basics
import Configuration
import Telemetry
import Testing

@testable import Serving

/// Stage times beside their budgets.
struct LatencyReportTests {
    /// The budgets and times of the specification, and what it says of them.
    @Test func tellsTheVariancesOfTheSpecification() {
        let budget: [RequestStage: Double] = [
            .ingest: 10, .preprocess: 25, .inference: 50, .postprocess: 10, .serialise: 5, .total: 100,
        ]
        let actual: [RequestStage: Double] = [
            .ingest: 8, .preprocess: 32, .inference: 45, .postprocess: 12, .serialise: 4, .total: 101,
        ]
        let lines = LatencyReport.compare(actual, with: budget)
        #expect(lines.map(\.stage) == RequestStage.allCases)
        #expect(lines.map(\.variance) == [-20, 28, -10, 20, -20, 1])
        #expect(lines.filter(\.isOver).map(\.stage) == [.preprocess, .postprocess, .total])
    }

    @Test func saysNothingWhereNothingIsKnown() {
        let lines = LatencyReport.compare([.ingest: 3], with: [.total: 4, .ingest: 3])
        #expect(lines.map(\.variance) == [0, nil, nil, nil, nil, nil])
        #expect(lines.allSatisfy { !$0.isOver })
    }

    @Test func comparesTheQuantileThatIsAskedFor() {
        let stages = StageHistograms("m", version: "1", in: MetricsRegistry())
        for milliseconds in 1...1000 {
            let nanoseconds = UInt64(milliseconds) * 1_000_000
            stages.observe(StageTimes(inference: nanoseconds, total: nanoseconds))
        }
        let budget = LatencyBudget([.inference: .milliseconds(600), .total: .milliseconds(600)])
        let median = LatencyReport(
            model: "m", version: "1", arm: .stable, stages: stages, budget: budget, quantile: 0.5)
        #expect(median.requests == 1000)
        #expect(!median.isOver)
        let late = LatencyReport(
            model: "m", version: "1", arm: .stable, stages: stages, budget: budget, quantile: 0.99)
        #expect(late.stages.filter(\.isOver).map(\.stage) == [.inference, .total])
        for (line, exact) in [(\LatencyReport.Line.p50, 500.0), (\.p95, 950), (\.p99, 990), (\.p999, 999)] {
            for stage in late.stages where stage.stage == .inference {
                #expect(abs((stage[keyPath: line] ?? .nan) - exact) <= exact / 100)
            }
        }
        #expect(late.stages.first?.actual == 0)
    }

    /// Two replicas' counts put together tell the quantiles and the spread of all requests.
    @Test func replicasAddUpToTheWhole() {
        var (one, other, all) = (DurationCounts(), DurationCounts(), DurationCounts())
        for number in 1...2000 {
            let nanoseconds = UInt64(number) * 1_000_000
            if number % 3 == 0 {
                one.observe(nanoseconds: nanoseconds)
            } else {
                other.observe(nanoseconds: nanoseconds)
            }
            all.observe(nanoseconds: nanoseconds)
        }
        one.add(other)
        #expect(one == all)
        #expect(LatencyReport.distribution(one) == LatencyReport.distribution(all))
        #expect(abs((one.quantile(0.999) ?? 0) / 1e6 - 1998) <= 20)
    }

    @Test func theSpreadHasEveryDurationBelowItsBound() {
        var counts = DurationCounts()
        #expect(LatencyReport.distribution(counts).isEmpty)
        for (milliseconds, times) in [(0.1, 3), (1.0, 2)] {
            for _ in 0..<times { counts.observe(nanoseconds: UInt64(milliseconds * 1e6)) }
        }
        let parts = LatencyReport.distribution(counts)
        #expect(parts.reduce(0) { $0 + $1.count } == 5)
        #expect(parts.first?.count == 3 && parts.last?.count == 2)
        // 2^16.5 < 100,000 <= 2^17, and 2^19.5 < 1,000,000 <= 2^20 nanoseconds.
        #expect(parts.first?.upTo == 0.131072 && parts.last?.upTo == 1.048576)
        #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.upTo < $1.upTo })
        // Longer than what is told apart.
        counts.observe(nanoseconds: 300_000_000_000)
        #expect(LatencyReport.distribution(counts).reduce(0) { $0 + $1.count } == 6)
    }

    @Test func budgetsAreRead() throws {
        let text = """
            latency_budget: {ingest: 10ms, preprocess: 25ms, inference: 50ms, postprocess: 10ms, serialise: 5ms, total: 0.1s}
            """
        let budget = try #require(
            try ModelConfiguration.read(text, file: "config.yaml", standard: ModelConfiguration()).configuration
                .latencyBudget)
        #expect(RequestStage.allCases.map { budget[$0] } == [10, 25, 50, 10, 5, 100].map { $0 * 1_000_000 })
        #expect(
            budget
                == LatencyBudget([
                    .ingest: .milliseconds(10), .preprocess: .milliseconds(25), .inference: .milliseconds(50),
                    .postprocess: .milliseconds(10), .serialise: .milliseconds(5), .total: .milliseconds(100),
                ]))
        #expect(LatencyBudget.nanoseconds(of: "250us") == 250_000)
        #expect(LatencyBudget.nanoseconds(of: "7ns") == 7)
        for wrong in ["10", "ms", "-1ms", "0s", "1e400s", "nan ms", "5m"] {
            #expect(LatencyBudget.nanoseconds(of: wrong) == nil, "\(wrong)")
        }
        #expect(throws: ConfigurationFailure.self) {
            _ = try ModelConfiguration.read(
                "latency_budget: {decode: 1ms}", file: "c", standard: ModelConfiguration())
        }
    }
}
