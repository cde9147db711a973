import Basics
import Registry
import Serving

/// A candidate taking over an endpoint step by step. A value; ``next(at:traffic:canary:)`` decides, the driver acts.
///
///     progressing ──(step judged good)──▶ progressing … ──(last step judged good)──▶ completed
///         │
///         └──(too many failures, too slow, or traffic taken away)──▶ rolledBack
public struct Rollout: Sendable, Codable, Equatable {
    public var id: String
    public var endpoint: String
    public var candidate: ModelVersionID
    public var plan: EndpointDefinition.RolloutPlan
    public var state: State
    /// Position in the plan's steps.
    public var step: Int
    public var stepStarted: Timestamp
    /// The candidate's counters when the step began.
    public var baselineAnswers: Int64
    public var baselineFailures: Int64
    public var steps: [Step]
    public var reason: String?
    /// What both arms have done so far; nil until it was first looked at.
    public var analysis: RolloutAnalysis?
    /// The principal that started it; nil in records that were stored before this was kept.
    public var starter: String?

    /// The starter where that is a person: who asks others to agree, and so can not agree themselves.
    public var person: String? { starter.flatMap { $0.hasPrefix("user:") ? $0 : nil } }

    public enum State: String, Sendable, Codable, CaseIterable { case progressing, completed, rolledBack }

    /// One judged step.
    public struct Step: Sendable, Codable, Equatable {
        public var share: Double
        public var from: Timestamp
        public var to: Timestamp
        public var requests: Int64
        public var failures: Int64
        public var p99Milliseconds: Double
        public var verdict: String
        /// What the comparison with the stable version had come to; nil in steps judged before there was one.
        public var evidence: [RolloutAnalysis.Evidence]?
    }

    /// What to do next.
    public enum Decision: Sendable, Equatable {
        case wait
        /// The step was good: raise the share to the next one.
        case advance(Step)
        /// The last step was good: the candidate becomes stable.
        case complete(Step)
        case rollBack(Step, reason: String)
    }

    public init(
        id: String, endpoint: String, candidate: ModelVersionID, plan: EndpointDefinition.RolloutPlan,
        by starter: String? = nil, at now: Timestamp
    ) {
        self.id = id
        self.endpoint = endpoint
        self.candidate = candidate
        self.plan = plan
        self.starter = starter
        state = .progressing
        step = 0
        stepStarted = now
        baselineAnswers = 0
        baselineFailures = 0
        steps = []
    }

    /// The share of traffic the candidate has in the present step.
    public var share: Double { plan.steps.indices.contains(step) ? plan.steps[step] : 1 }

    /// The rollout after another look at what both arms have done; only while its candidate has traffic.
    public func looked(
        at traffic: TrafficPolicy?, stable: ArmStatistics.Reading?, canary: ArmStatistics.Reading?
    ) -> Rollout {
        guard state == .progressing, let comparison = plan.comparison, traffic?.canary == candidate, let stable,
            let canary
        else { return self }
        var next = self
        var analysis = analysis ?? RolloutAnalysis()
        analysis.look(
            stable: stable, candidate: canary, slowdown: comparison.maximumSlowdown,
            harmless: plan.maximumP99Milliseconds / 10)
        next.analysis = analysis
        return next
    }

    /// Judges the present step. Failures, a p99 over the limit and what the comparison found end it at once; time and
    /// requests are waited for before it is good.
    ///
    /// - Parameters:
    ///   - traffic: who answers on the endpoint now.
    ///   - canary: the candidate's counters since it was loaded; they begin again at zero when the process does.
    public func next(at now: Timestamp, traffic: TrafficPolicy?, canary: ArmStatistics.Reading?) -> Decision {
        guard state == .progressing else { return .wait }
        let reading = canary ?? .none
        let (requests, failures) = counted(reading)
        func judged(_ verdict: String) -> Step { self.judged(verdict, at: now, canary: canary) }
        // Only completing makes the candidate stable: a crash came between that and this rollout's own record.
        if traffic?.stable == candidate, traffic?.canary == nil { return .complete(judged("good")) }
        guard traffic?.canary == candidate else {
            let reason =
                failures > 0 ? "\(failures) of \(requests) answers failed" : "traffic was taken from \(candidate)"
            return .rollBack(judged(reason), reason: reason)
        }
        let rate = requests > 0 ? Double(failures) / Double(requests) : 0
        if failures >= plan.failureLimit || (requests >= plan.minimumRequests && rate > plan.maximumErrorRate) {
            let reason = "\(failures) of \(requests) answers failed"
            return .rollBack(judged(reason), reason: reason)
        }
        guard requests >= plan.minimumRequests else { return .wait }
        if reading.p99 > plan.maximumP99Milliseconds {
            let reason = "p99 is \(reading.p99) ms, over \(plan.maximumP99Milliseconds) ms"
            return .rollBack(judged(reason), reason: reason)
        }
        if let comparison = plan.comparison,
            let reason = analysis?.objection(alpha: comparison.alpha, shift: comparison.maximumOutputShift)
        {
            return .rollBack(judged(reason), reason: reason)
        }
        guard now >= stepStarted.advanced(bySeconds: plan.stepSeconds) else { return .wait }
        return step + 1 < plan.steps.count ? .advance(judged("good")) : .complete(judged("good"))
    }

    /// The present step with its verdict.
    func judged(_ verdict: String, at now: Timestamp, canary: ArmStatistics.Reading?) -> Step {
        let reading = canary ?? .none
        let (requests, failures) = counted(reading)
        return Step(
            share: share, from: stepStarted, to: now, requests: requests, failures: failures,
            p99Milliseconds: reading.p99, verdict: verdict, evidence: analysis?.evidence)
    }

    /// What the candidate has done in the present step; its counters begin again at zero when the process does.
    private func counted(_ reading: ArmStatistics.Reading) -> (requests: Int64, failures: Int64) {
        guard reading.answers >= baselineAnswers else { return (reading.answers, reading.failures) }
        return (reading.answers - baselineAnswers, reading.failures - baselineFailures)
    }

    /// The rollout after a decision was carried out.
    public func after(_ decision: Decision, at now: Timestamp, canary: ArmStatistics.Reading?) -> Rollout {
        var next = self
        switch decision {
        case .wait:
            break
        case .advance(let judged):
            next.steps.append(judged)
            next.step += 1
            next.stepStarted = now
            next.baselineAnswers = canary?.answers ?? 0
            next.baselineFailures = canary?.failures ?? 0
        case .complete(let judged):
            next.steps.append(judged)
            next.state = .completed
            next.analysis = nil
        case .rollBack(let judged, let reason):
            next.steps.append(judged)
            next.state = .rolledBack
            next.reason = reason
            next.analysis = nil
        }
        return next
    }
}
