import Telemetry

/// What requests took stage by stage, beside what they may take.
public struct LatencyReport: Sendable, Codable, Equatable {
    /// Of the endpoint or model.
    public var model: String
    public var version: String
    public var arm: String
    /// Requests that were answered.
    public var requests: UInt64
    /// The share of the requests that `actual` is not exceeded by.
    public var quantile: Double
    public var stages: [Line]

    /// One stage; times in milliseconds.
    public struct Line: Sendable, Codable, Equatable {
        public var stage: RequestStage
        /// Nil where it has none.
        public var budget: Double?
        /// Nil before the first request.
        public var actual: Double?
        /// How far `actual` is above the budget, in percent of the budget; below zero where it is within.
        public var variance: Double?
        public var isOver: Bool
        public var p50: Double?
        public var p95: Double?
        public var p99: Double?
        public var p999: Double?
        /// How the durations are spread, without the empty parts at both ends.
        public var distribution: [Part] = []

        /// So many took more than the bound of the part before and up to this one, in milliseconds.
        public struct Part: Sendable, Codable, Equatable {
            public var upTo: Double
            public var count: UInt64
        }

        /// - Parameters:
        ///   - budget: in milliseconds.
        ///   - actual: in milliseconds.
        public init(_ stage: RequestStage, budget: Double?, actual: Double?) {
            self.stage = stage
            self.budget = budget
            self.actual = actual
            variance = budget.flatMap { budget in
                actual.flatMap { budget > 0 ? (($0 - budget) / budget * 1000).rounded() / 10 : nil }
            }
            isOver = (budget.flatMap { budget in actual.map { $0 > budget } }) ?? false
        }
    }

    /// Whether a stage took longer than it may.
    public var isOver: Bool { stages.contains(where: \.isOver) }

    /// The variance of actual times from budgets, in the order of ``RequestStage``.
    ///
    /// - Parameters:
    ///   - actual: milliseconds by stage.
    ///   - budget: milliseconds by stage.
    public static func compare(_ actual: [RequestStage: Double], with budget: [RequestStage: Double]) -> [Line] {
        RequestStage.allCases.map { Line($0, budget: budget[$0], actual: actual[$0]) }
    }

    init(
        model: String, version: String, arm: Arm, stages histograms: StageHistograms, budget: LatencyBudget?,
        quantile: Double
    ) {
        func milliseconds(_ counts: DurationCounts, _ share: Double) -> Double? {
            counts.quantile(share).map { $0 / 1e6 }
        }
        self.model = model
        self.version = version
        self.arm = arm.name
        self.quantile = quantile
        requests = histograms.read(.total).count
        stages = RequestStage.allCases.map { stage in
            let counts = histograms.read(stage)
            var line = Line(
                stage, budget: budget?[stage].map { Double($0) / 1e6 }, actual: milliseconds(counts, quantile))
            line.p50 = milliseconds(counts, 0.5)
            line.p95 = milliseconds(counts, 0.95)
            line.p99 = milliseconds(counts, 0.99)
            line.p999 = milliseconds(counts, 0.999)
            line.distribution = Self.distribution(counts)
            return line
        }
    }
}

extension LatencyReport {
    /// Upper bounds from 128 ns to 137 s in nanoseconds, two to a power of two, that all distributions share.
    private static let bounds: [UInt64] =
        (7...36).flatMap { power in [1 << power, (1 << power) * 181 / 128] } + [1 << 37]

    static func distribution(_ counts: DurationCounts) -> [Line.Part] {
        let cumulative = counts.cumulative(bounds)
        let parts = zip(bounds.indices, cumulative).map { index, sum in
            Line.Part(
                upTo: Double(bounds[index]) / 1e6, count: index == 0 ? sum : sum &- cumulative[index - 1])
        }
        guard let first = parts.firstIndex(where: { $0.count > 0 }), let last = parts.lastIndex(where: { $0.count > 0 })
        else { return [] }
        return Array(parts[first...last])
    }
}

extension ServedModel {
    /// What requests to this version took, beside its budget.
    /// - Parameter quantile: from 0 to 1.
    public func latency(quantile: Double) -> LatencyReport {
        LatencyReport(
            model: name, version: version, arm: .stable, stages: stages, budget: configuration.latencyBudget,
            quantile: quantile)
    }
}

extension Endpoint {
    /// What requests took, by version and arm, beside the endpoint's budget.
    /// - Parameter quantile: from 0 to 1.
    public func latencies(quantile: Double) -> [LatencyReport] {
        stages.all.map { version, arm, stages in
            LatencyReport(
                model: definition.name, version: String(version), arm: arm, stages: stages,
                budget: definition.latencyBudget, quantile: quantile)
        }
    }
}
