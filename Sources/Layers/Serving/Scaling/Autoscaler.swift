/// What was seen of a model's load in the time since the last sample.
public struct ScalingSample: Sendable, Equatable {
    /// Requests under way, on average over that time.
    public var concurrency: Double
    public var requestsPerSecond: Double
    /// The 95th percentile of the seconds that requests took which ended; nil where none did.
    public var p95Seconds: Double?

    public init(concurrency: Double, requestsPerSecond: Double = 0, p95Seconds: Double? = nil) {
        self.concurrency = concurrency
        self.requestsPerSecond = requestsPerSecond
        self.p95Seconds = p95Seconds
    }

    var isIdle: Bool { concurrency <= 0 && requestsPerSecond <= 0 }
}

/// How many replicas are wanted, and why.
public struct ScalingDecision: Sendable, Equatable {
    /// What the number comes from.
    public enum Reason: String, Sendable, Codable {
        /// The load is what the replicas there are were made for.
        case steady
        /// The average of the stable window asks for it.
        case load
        /// A sudden load asks for it, and nothing is taken away meanwhile.
        case panic
        /// Requests take too long.
        case latency
        /// Fewer would do, but not for long enough yet.
        case delayed
        /// The load asks for less or more than the bounds let through.
        case minimum, maximum
        /// Nobody has asked for long.
        case idle
    }

    public let desired: Int
    public let reason: Reason
    /// The averages of both windows.
    public let stableConcurrency: Double
    public let panicConcurrency: Double
}

/// Decides how many replicas of a model a load needs.
///
/// The rules are those of Knative's pod autoscaler (https://knative.dev/docs/serving/autoscaling/): the load, averaged over
/// a stable window, divided by the target of one replica; where a short window asks for more than twice what there is, that
/// counts and nothing is taken away until it has not happened for a whole stable window; at most half goes away at once.
/// Latency is as in Kubernetes' horizontal pod autoscaler: replicas in proportion to how far the target is missed, and
/// nothing within the tolerance.
public struct Autoscaler: Sendable {
    public let policy: ScalingPolicy
    private var samples: [(at: Double, sample: ScalingSample)] = []
    /// When a sudden load was seen last, and the most that was wanted since it began.
    private var panic: (since: Double, most: Int)?
    /// What was wanted at which moment, within the delay.
    private var wishes: [(at: Double, desired: Int)] = []
    /// What latency asked for, within the stable window: it does not tell how much less would do.
    private var slownesses: [(at: Double, desired: Int)] = []
    private var lastUse: Double?

    public init(_ policy: ScalingPolicy) { self.policy = policy }

    /// - Parameters:
    ///   - sample: of the time since the last decision; decisions are made at regular times.
    ///   - running: replicas that answer now.
    ///   - seconds: on a clock that does not go back.
    public mutating func decide(_ sample: ScalingSample, running: Int, at seconds: Double) -> ScalingDecision {
        samples.append((seconds, sample))
        samples.removeAll { $0.at <= seconds - policy.stableSeconds }
        if !sample.isIdle || lastUse == nil { lastUse = seconds }
        let stable = average(over: policy.stableSeconds, at: seconds)
        let short = average(over: policy.panicSeconds, at: seconds)
        let ready = max(1, running)
        var (desired, reason) = wanted(stable: stable, short: short, ready: ready, at: seconds)
        (desired, reason) = latency(sample, ready: ready, over: (desired, reason), at: seconds)
        (desired, reason) = delayed(desired, reason, running: running, at: seconds)
        (desired, reason) = bounded(desired, reason, at: seconds)
        return ScalingDecision(desired: desired, reason: reason, stableConcurrency: stable, panicConcurrency: short)
    }

    private func average(over window: Double, at seconds: Double) -> Double {
        let inside = samples.filter { $0.at > seconds - window }
        return inside.isEmpty ? 0 : inside.reduce(0) { $0 + $1.sample.concurrency } / Double(inside.count)
    }

    private mutating func wanted(
        stable: Double, short: Double, ready: Int, at seconds: Double
    ) -> (Int, ScalingDecision.Reason) {
        let most = Int((policy.upFactor * Double(ready)).rounded(.up))
        let least = Int((Double(ready) / policy.downFactor).rounded(.down))
        func replicas(_ concurrency: Double) -> Int {
            min(max(Int(min(1e9, (concurrency / policy.targetConcurrency).rounded(.up))), least), most)
        }
        let (calm, sudden) = (replicas(stable), replicas(short))
        let isSudden = (short / policy.targetConcurrency).rounded(.up) / Double(ready) >= policy.panicThreshold
        if isSudden {
            panic = (seconds, panic?.most ?? ready)
        } else if let since = panic?.since, seconds > since + policy.stableSeconds {
            panic = nil
        }
        guard let held = panic?.most else {
            let ratio = stable / (policy.targetConcurrency * Double(ready))
            if abs(ratio - 1) <= policy.tolerance { return (ready, .steady) }
            return (calm, calm == ready ? .steady : .load)
        }
        let desired = max(calm, sudden, held)
        panic?.most = desired
        return (desired, .panic)
    }

    private mutating func latency(
        _ sample: ScalingSample, ready: Int, over other: (Int, ScalingDecision.Reason), at seconds: Double
    ) -> (Int, ScalingDecision.Reason) {
        guard let target = policy.targetSeconds, target > 0 else { return other }
        slownesses.removeAll { $0.at <= seconds - policy.stableSeconds }
        if let p95 = sample.p95Seconds, p95.isFinite, p95 / target > 1 + policy.tolerance {
            slownesses.append((seconds, Int(min(1e9, (Double(ready) * p95 / target).rounded(.up)))))
        }
        guard let most = slownesses.map(\.desired).max(), most > other.0 else { return other }
        return (most, .latency)
    }

    private mutating func delayed(
        _ desired: Int, _ reason: ScalingDecision.Reason, running: Int, at seconds: Double
    ) -> (Int, ScalingDecision.Reason) {
        guard policy.downDelaySeconds > 0 else { return (desired, reason) }
        wishes.append((seconds, desired))
        wishes.removeAll { $0.at <= seconds - policy.downDelaySeconds }
        let most = wishes.map(\.desired).max() ?? desired
        return most > desired ? (most, .delayed) : (desired, reason)
    }

    private func bounded(
        _ desired: Int, _ reason: ScalingDecision.Reason, at seconds: Double
    ) -> (Int, ScalingDecision.Reason) {
        if desired > policy.maximum { return (policy.maximum, .maximum) }
        let quiet = seconds - (lastUse ?? seconds)
        if policy.minimum == 0, quiet >= policy.stableSeconds + policy.zeroGraceSeconds { return (0, .idle) }
        let least = max(1, policy.minimum)
        return desired < least ? (least, .minimum) : (desired, reason)
    }
}
