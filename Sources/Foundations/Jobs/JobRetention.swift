/// How long jobs that have ended are kept.
public struct JobRetention: Sendable, Hashable {
    /// Seconds for what they wrote, at their executor.
    public let logSeconds: Double
    /// Seconds for the jobs themselves, with their attempts and idempotency keys; not less than the logs.
    public let jobSeconds: Double

    public init(logSeconds: Double = 7 * 86_400, jobSeconds: Double = 30 * 86_400) {
        self.logSeconds = logSeconds
        self.jobSeconds = jobSeconds
    }
}
