import Registry

/// Versions that share the traffic of an endpoint until it is known which does best: an A/B test by shares that stay as
/// they are, or a bandit, whose shares follow what becomes of the answers.
public struct TrafficSplit: Sendable, Codable, Equatable {
    /// How the shares come about.
    public enum Policy: String, Sendable, Codable, CaseIterable {
        /// They stay.
        case fixed
        /// An arm's share is the probability that it is the best one.
        case thompson
        /// The best arm has all but `epsilon`, which all arms share.
        case epsilonGreedy = "epsilon_greedy"
    }

    /// Whether higher or lower labels are better.
    public enum Goal: String, Sendable, Codable, CaseIterable { case higher, lower }

    /// A version and its share.
    public struct Arm: Sendable, Codable, Equatable {
        public var version: ModelVersionID
        /// Above 0 and below 1; all of them sum to 1.
        public var share: Double

        public init(version: ModelVersionID, share: Double) {
            self.version = version
            self.share = share
        }
    }

    public static let armsMax = 16
    /// No arm gets less, so that what each does stays known.
    public static let leastShare = 0.01

    /// Decides with a request's key which arm it belongs to, so that the arms of one split say nothing of another's.
    public var id: String
    public var policy: Policy
    /// The first is the control: the endpoint's stable version.
    public var arms: [Arm]
    public var goal: Goal
    /// The least share of the control while a bandit moves the shares.
    public var floor: Double
    /// The share that an epsilon-greedy bandit explores with.
    public var epsilon: Double
    /// The probability of ever taking arms apart that are no different.
    public var alpha: Double
    /// What was found, once something was.
    public var finding: String?

    /// - Throws: ``ServingFailure/badRequest(_:remedy:)`` for arms or numbers that make no split.
    public init(
        id: String, policy: Policy = .fixed, arms: [Arm], goal: Goal = .higher, floor: Double = 0.1,
        epsilon: Double = 0.1, alpha: Double = 0.05
    ) throws {
        func demand(_ holds: Bool, _ problem: String, _ remedy: String) throws {
            if !holds { throw ServingFailure.badRequest(problem, remedy: remedy) }
        }
        try demand(
            (2...Self.armsMax).contains(arms.count), "\(arms.count) arms are no split",
            "Give 2 to \(Self.armsMax), the stable version first.")
        try demand(
            Set(arms.map(\.version)).count == arms.count, "a version can be only one arm", "Name each version once.")
        let sum = arms.reduce(0) { $0 + $1.share }
        try demand(
            arms.allSatisfy { $0.share >= Self.leastShare && $0.share < 1 } && abs(sum - 1) < 1e-6,
            "the shares of the arms sum to \(sum)", "Give each at least \(Self.leastShare), and 1 together.")
        try demand((0..<1).contains(floor), "a floor of \(floor) is no share", "Give one from 0 to below 1.")
        try demand((0...1).contains(epsilon), "an epsilon of \(epsilon) is no share", "Give one from 0 to 1.")
        try demand(alpha > 0 && alpha <= 0.5, "an alpha of \(alpha) is none", "Give one above 0 and at most 0.5.")
        (self.id, self.policy, self.arms, self.goal) = (id, policy, arms, goal)
        (self.floor, self.epsilon, self.alpha) = (floor, epsilon, alpha)
    }

    /// The same with other shares, of which the control has at least the floor and each arm the least share.
    ///
    /// - Parameter wanted: one for each arm, none negative.
    public func sharing(_ wanted: [Double]) -> TrafficSplit {
        guard wanted.count == arms.count, wanted.allSatisfy({ $0.isFinite && $0 >= 0 }) else { return self }
        let least = arms.indices.map { $0 == 0 ? max(floor, Self.leastShare) : Self.leastShare }
        let sum = wanted.reduce(0, +)
        let rest = 1 - least.reduce(0, +)
        guard rest > 0 else { return self }
        // What an arm has above its least share, in proportion to what it is wanted to have above it.
        let above = zip(wanted, least).map { max(0, (sum > 0 ? $0 / sum : 0) - $1) }
        let total = above.reduce(0, +)
        var next = self
        for index in arms.indices {
            next.arms[index].share =
                least[index] + rest * (total > 0 ? above[index] / total : 1 / Double(arms.count))
        }
        return next
    }
}
