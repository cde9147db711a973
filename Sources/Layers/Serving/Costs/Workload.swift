import Configuration

/// What is to be decided, how soon, and how often.
public struct Workload: Sendable, Codable, Equatable {
    /// Seconds within which who asks must have the decision.
    public var latency: Double
    /// Seconds that what is known may be old when a decision made of it is used; never below `latency`.
    public let freshness: Double
    /// Predictions a day.
    public var perDay: Double
    /// Predictions that one call asks for.
    public var rowsPerCall: Double
    /// The rate of the busiest hour, over the mean of all hours with traffic.
    public var peak: Double
    /// Hours of a day in which nobody asks.
    public var idleHours: Double

    /// The longest time, and the most predictions a day, that are taken.
    static let most = (seconds: 366 * 86_400.0, perDay: 1e15)

    /// - Parameter freshness: nil where a decision is made of what is known when it is asked for.
    /// - Throws: ``ServingFailure/badRequest(_:remedy:)`` for what is negative, without end, or out of all bounds.
    public init(
        latency: Double, freshness: Double? = nil, perDay: Double, rowsPerCall: Int = 1, peak: Double = 3,
        idleHours: Double = 0
    ) throws {
        func require(_ holds: Bool, _ what: String, _ remedy: String) throws {
            guard holds else { throw ServingFailure.badRequest(what, remedy: remedy) }
        }
        let times = 1e-9...Self.most.seconds
        try require(times.contains(latency), "the latency must be above 0 and below a year", "Say 50ms, 2s or 1d.")
        try require(
            freshness.map(times.contains) ?? true, "the freshness must be above 0 and below a year", "Say 5m or 1d.")
        try require(
            (0...Self.most.perDay).contains(perDay), "the volume must be from 0 to \(Self.most.perDay) a day",
            "Say 2M/day or 300/s.")
        try require(
            (1...1_000_000).contains(rowsPerCall), "a call has from 1 to 1,000,000 rows", "Give the usual number.")
        try require((1...1000).contains(peak), "the peak is from 1 to 1,000 times the mean", "Say 3.")
        try require((0...23).contains(idleHours), "from 0 to 23 hours of a day may be idle", "Say 8.")
        self.latency = latency
        self.freshness = max(latency, freshness ?? 0)
        self.perDay = perDay
        self.rowsPerCall = Double(rowsPerCall)
        self.peak = peak
        self.idleHours = idleHours
    }

    /// Hours of a day with traffic.
    var activeHours: Double { perDay > 0 ? 24 - idleHours : 0 }

    /// Predictions a second in the busiest hour.
    var peakRate: Double { perDay > 0 ? perDay / (activeHours * 3600) * peak : 0 }

    /// A length of time such as `250us`, `50ms`, `1.5s`, `5m`, `2h` or `1d` in seconds; nil for other texts.
    public static func seconds(of text: String) -> Double? {
        LatencyBudget.nanoseconds(of: text).map { Double($0) / 1e9 }
            ?? ConfigurationMapping.seconds(of: text).map(Double.init)
    }

    /// A volume such as `2M/day`, `300/s` or `1.5k/h` as predictions a day; nil for other texts.
    public static func perDay(of text: String) -> Double? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let units = [
            "s": 86_400, "second": 86_400, "m": 1440, "min": 1440, "minute": 1440, "h": 24, "hour": 24, "d": 1,
            "day": 1, "week": 1 / 7.0, "month": 24 / CostAssumptions.hoursPerMonth,
        ]
        let scales: [Character: Double] = ["k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9]
        guard parts.count == 2, let unit = units[String(parts[1])] else { return nil }
        let scale = parts[0].last.flatMap { scales[$0] }
        let digits = scale == nil ? parts[0] : parts[0].dropLast()
        // Nothing that `Double` reads besides digits: no signs, exponents, infinities.
        guard digits.allSatisfy({ $0 == "." || ("0"..."9").contains($0) }), let number = Double(digits) else {
            return nil
        }
        return number * (scale ?? 1) * unit
    }
}
