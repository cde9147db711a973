import Basics
import Registry
import Serving
import Testing

@testable import Automation

@Suite struct RolloutTests {
    private let start = Timestamp(seconds: 1_000_000)
    private let candidate = ModelVersionID(model: "m", version: 2)

    private func rollout() -> Rollout {
        Rollout(
            id: "r", endpoint: "e", candidate: candidate,
            plan: .init(
                steps: [0.05, 0.25, 1], stepSeconds: 3600, minimumRequests: 100, maximumErrorRate: 0.01,
                maximumP99Milliseconds: 50, failureLimit: 5),
            at: start)
    }

    private func traffic(_ canary: ModelVersionID?) -> TrafficPolicy {
        TrafficPolicy(stable: ModelVersionID(model: "m", version: 1), canary: canary, canaryShare: 0.05)
    }

    private func reading(_ answers: Int64, _ failures: Int64 = 0, p99: Double = 1) -> ArmStatistics.Reading {
        ArmStatistics.Reading(answers: answers, failures: failures, p50: 0.5, p99: p99, histogram: [])
    }

    @Test func onlyAPersonWhoStartedItAsksOthers() throws {
        var rollout = rollout()
        #expect(rollout.person == nil)
        for (starter, person) in [("user:ann", "user:ann"), ("system:pipeline", nil), ("service:ci", nil)] {
            rollout.starter = starter
            #expect(rollout.person == person)
        }
        // As stored before the starter was kept.
        rollout.starter = nil
        #expect(try JSON.decode(Rollout.self, from: JSON.canonical(rollout)) == rollout)
    }

    @Test func waitsForBothTimeAndRequests() {
        let rollout = rollout()
        let early = start.advanced(bySeconds: 3599)
        let due = start.advanced(bySeconds: 3600)
        #expect(rollout.next(at: early, traffic: traffic(candidate), canary: reading(1000)) == .wait)
        #expect(rollout.next(at: due, traffic: traffic(candidate), canary: reading(99)) == .wait)
        guard case .advance(let step) = rollout.next(at: due, traffic: traffic(candidate), canary: reading(100)) else {
            Issue.record("a good step must advance")
            return
        }
        #expect(step.share == 0.05)
        #expect(step.requests == 100)
    }

    @Test func walksEveryStepAndCompletes() {
        var rollout = rollout()
        var answers: Int64 = 0
        var shares: [Double] = []
        for hour in 1...3 {
            answers += 100
            let now = start.advanced(bySeconds: Int64(hour) * 3600)
            shares.append(rollout.share)
            let decision = rollout.next(at: now, traffic: traffic(candidate), canary: reading(answers))
            rollout = rollout.after(decision, at: now, canary: reading(answers))
        }
        #expect(shares == [0.05, 0.25, 1])
        #expect(rollout.state == .completed)
        #expect(rollout.steps.map(\.requests) == [100, 100, 100])
    }

    @Test func rollsBackOnFailuresAtOnce() {
        let rollout = rollout()
        let now = start.advanced(bySeconds: 1)
        #expect(rollout.next(at: now, traffic: traffic(candidate), canary: reading(50, 4)) == .wait)
        guard case .rollBack(_, let reason) = rollout.next(at: now, traffic: traffic(candidate), canary: reading(50, 5))
        else {
            Issue.record("five failures must roll back")
            return
        }
        #expect(reason == "5 of 50 answers failed")
    }

    @Test func rollsBackOnErrorRateOnlyWithEnoughRequests() {
        let rollout = rollout()
        let now = start.advanced(bySeconds: 1)
        #expect(rollout.next(at: now, traffic: traffic(candidate), canary: reading(99, 2)) == .wait)
        // 1 of 100 is exactly the bound, which is allowed; 2 of 100 is over it.
        #expect(rollout.next(at: now, traffic: traffic(candidate), canary: reading(100, 1)) == .wait)
        guard case .rollBack = rollout.next(at: now, traffic: traffic(candidate), canary: reading(100, 2)) else {
            Issue.record("an error rate over the bound must roll back")
            return
        }
    }

    @Test func rollsBackASlowCandidateAndOneThatLostItsTraffic() {
        let rollout = rollout()
        let due = start.advanced(bySeconds: 3600)
        guard case .rollBack = rollout.next(at: due, traffic: traffic(candidate), canary: reading(100, 0, p99: 50.1))
        else {
            Issue.record("a slow candidate must be rolled back")
            return
        }
        guard case .rollBack = rollout.next(at: due, traffic: traffic(nil), canary: nil) else {
            Issue.record("a rollout whose canary is gone must end")
            return
        }
    }

    @Test func aCandidateThatIsAlreadyStableHasCompleted() {
        let taken = TrafficPolicy(stable: candidate, previous: ModelVersionID(model: "m", version: 1))
        guard case .complete = rollout().next(at: start, traffic: taken, canary: nil) else {
            Issue.record("a crash after the change-over must not take it back")
            return
        }
    }

    @Test func countersThatBeganAgainAfterARestartAreTakenAsTheyAre() {
        var rollout = rollout()
        rollout.baselineAnswers = 5000
        let due = start.advanced(bySeconds: 3600)
        guard case .advance(let step) = rollout.next(at: due, traffic: traffic(candidate), canary: reading(120)) else {
            Issue.record("counters from zero must count")
            return
        }
        #expect(step.requests == 120)
    }
}
