/// What a way of serving costs for a workload, and whether it decides soon enough.
public struct PatternCost: Sendable, Codable, Equatable {
    public let pattern: ServingPattern
    /// Whether decisions come as soon as they must.
    public let fits: Bool
    /// Why it fits or does not.
    public let reason: String
    /// Seconds after which a decision can be there at the soonest, at the 99th percentile.
    public let soonest: Double
    /// Cores held in the busiest hour.
    public let cores: Double
    /// Core-hours a month in which something is computed.
    public let busyCoreHours: Double
    /// Core-hours a month that are paid for, idle or not.
    public let paidCoreHours: Double
    public let perMonth: Double
    /// Nil where nothing is predicted.
    public let perThousand: Double?
    /// Seconds between two runs; of batches only.
    public let period: Double?
}

/// The way of serving that a workload asks for, beside all others and what they cost.
public struct ServingAdvice: Sendable, Codable, Equatable {
    public let workload: Workload
    public let assumptions: CostAssumptions
    /// One for each of ``ServingPattern``, in its order.
    public let costs: [PatternCost]

    /// - Throws: ``ServingFailure/badRequest(_:remedy:)`` for figures that nothing can be worked out from.
    public init(_ workload: Workload, _ assumptions: CostAssumptions = CostAssumptions()) throws {
        for (name, figure) in assumptions.all {
            guard figure.value.isFinite, figure.value > 0, figure.value < 1e9 else {
                throw ServingFailure.badRequest(
                    "the figure '\(name)' is \(figure.value)", remedy: "Give one above 0.")
            }
        }
        self.workload = workload
        self.assumptions = assumptions
        costs = CostModel(workload: workload, figures: assumptions).all
    }

    /// The cheapest of those that decide soon enough. A model leaves the server only where no server is fast enough: what runs
    /// on a device is updated, watched and rolled back late or not at all. Nil where nothing is fast enough.
    public var choice: PatternCost? {
        let fitting = costs.filter(\.fits)
        // The first of equals: the one that keeps the least running.
        let served = fitting.filter { $0.pattern != .edge }
        return served.reduce(served.first) { best, next in
            best.map { $0.perMonth <= next.perMonth ? $0 : next }
        } ?? fitting.first
    }
}
