import Basics
import Registry

/// What an endpoint is, as written under `serving/`.
public struct EndpointDefinition: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var model: String
    public var service: String
    public var latencyBudgetMilliseconds: Double
    public var rollout: RolloutPlan
    /// The join key whose value decides which arm answers; nil for the request's id.
    public var splitBy: String?
    /// How often predictions may be asked for, such as `all=500/1000` and `principal=10`; nil for as often as one likes.
    public var limits: [String]?
    /// What each stage of answering may take; nil where nothing is said.
    public var latencyBudget: LatencyBudget?

    /// How a candidate takes over, and when it must not.
    public struct RolloutPlan: Sendable, Codable, Equatable {
        /// Shares of traffic in rising order, the last one 1.
        public var steps: [Double]
        /// The least time a step lasts, in seconds of the factory's clock.
        public var stepSeconds: Int64
        /// The least number of answers by the candidate in a step before it is judged.
        public var minimumRequests: Int64
        /// The highest share of the candidate's answers that may fail.
        public var maximumErrorRate: Double
        /// The candidate's highest 99th percentile of latency, in milliseconds.
        public var maximumP99Milliseconds: Double
        /// Failures of the candidate after which traffic is taken from it at once, without waiting for the step's end.
        public var failureLimit: Int64
        /// How the candidate is compared with the stable version; nil in plans stored before this was done.
        public var comparison: Comparison?

        /// What a comparison of both arms allows.
        public struct Comparison: Sendable, Codable, Equatable {
            /// The probability of taking back a candidate that is no worse, over the whole rollout; above 0, at most 0.5.
            public var alpha: Double
            /// How many times as slow as the stable version the candidate may be; 1 or more.
            public var maximumSlowdown: Double
            /// The largest population stability index between both versions' outputs.
            public var maximumOutputShift: Double

            public init(alpha: Double = 0.05, maximumSlowdown: Double = 1.5, maximumOutputShift: Double = 0.25) {
                self.alpha = alpha
                self.maximumSlowdown = maximumSlowdown
                self.maximumOutputShift = maximumOutputShift
            }
        }

        public init(
            steps: [Double], stepSeconds: Int64, minimumRequests: Int64, maximumErrorRate: Double,
            maximumP99Milliseconds: Double, failureLimit: Int64, comparison: Comparison? = Comparison()
        ) {
            self.steps = steps
            self.stepSeconds = stepSeconds
            self.minimumRequests = minimumRequests
            self.maximumErrorRate = maximumErrorRate
            self.maximumP99Milliseconds = maximumP99Milliseconds
            self.failureLimit = failureLimit
            self.comparison = comparison
        }
    }
}
