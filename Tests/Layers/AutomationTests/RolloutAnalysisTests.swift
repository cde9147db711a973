import Basics
import Foundation
import Registry
import TestSupport
import Testing

@testable import Automation
@testable import Serving

/// Rollouts over drawn traffic, looked at once a second, as the control loop does.
@Suite struct RolloutAnalysisTests {
    /// How a version answers.
    struct Behaviour {
        var failures = 0.002
        /// The median of a log-normal latency, in milliseconds.
        var median = 4.0
        /// Added to the logit of each score.
        var shift = 0.0

        func answer(_ random: inout SeededGenerator, into statistics: ArmStatistics) {
            guard random.uniform() >= failures else {
                _ = statistics.failed(atNanoseconds: 1)
                return
            }
            let latency = median * exp(0.4 * random.normal()) * 1e6
            let score = 1 / (1 + exp(-(random.normal() - 1 + shift)))
            statistics.succeeded(nanoseconds: UInt64(latency), output: score)
        }
    }

    private static let stable = ModelVersionID(model: "m", version: 1)
    private static let candidate = ModelVersionID(model: "m", version: 2)

    /// Rolls a candidate out; the hard guards are set out of the way unless asked for.
    /// - Returns: the rollout at its end, or after `seconds`.
    private static func rollOut(
        _ behaviour: Behaviour, seed: UInt64, seconds: Int, requests: Int, share: Double, limit: Double = 10
    ) -> Rollout {
        var random = SeededGenerator(seed: seed)
        let start = Timestamp(seconds: 1_000_000)
        var rollout = Rollout(
            id: "r", endpoint: "e", candidate: Self.candidate,
            plan: .init(
                steps: [share, 1], stepSeconds: Int64(seconds), minimumRequests: 1, maximumErrorRate: 1,
                maximumP99Milliseconds: limit, failureLimit: .max),
            at: start)
        let (old, new) = (ArmStatistics(), ArmStatistics())
        let traffic = TrafficPolicy(stable: Self.stable, canary: Self.candidate, canaryShare: share)
        for second in 1...seconds {
            for _ in 0..<requests {
                if random.uniform() < share {
                    behaviour.answer(&random, into: new)
                } else {
                    Behaviour().answer(&random, into: old)
                }
            }
            let now = start.advanced(bySeconds: Int64(second))
            // The limit itself is set out of the way: what is left of it is what is no harm.
            var canary = new.read()
            canary.p99 = 0
            rollout = rollout.looked(at: traffic, stable: old.read(), canary: canary)
            let decision = rollout.next(at: now, traffic: traffic, canary: canary)
            rollout = rollout.after(decision, at: now, canary: canary)
            if decision != .wait { break }
        }
        return rollout
    }

    /// How many of so many candidates that are no other than the stable version are taken back.
    static func falseAlarms(of rollouts: Int) -> Int {
        (1...rollouts).filter { seed in
            rollOut(Behaviour(), seed: UInt64(seed), seconds: 15, requests: 80, share: 0.2).state == .rolledBack
        }.count
    }

    @Test("of two hundred candidates that are no other than the stable version, at most one in twenty is taken back")
    func falseAlarms() { #expect(Self.falseAlarms(of: 200) <= 10) }

    @Test(
        "a candidate that is worse is found within seconds of a thousand requests a second",
        arguments: [
            ("fails", Behaviour(failures: 0.1)), ("latency", Behaviour(median: 12)), ("outputs", Behaviour(shift: 1.5)),
        ])
    func broken(word: String, behaviour: Behaviour) {
        for seed in 1...5 as ClosedRange<UInt64> {
            let end = Self.rollOut(behaviour, seed: seed, seconds: 5, requests: 1000, share: 0.05)
            #expect(end.state == .rolledBack)
            #expect(end.reason?.contains(word) == true, "\(end.reason ?? "no reason")")
            #expect(end.steps.last?.evidence?.count == 4)
        }
    }

    @Test("one that is a little slower, or fails less, goes on")
    func goodEnough() {
        for behaviour in [Behaviour(median: 4.8), Behaviour(failures: 0), Behaviour(median: 1)] {
            let end = Self.rollOut(behaviour, seed: 3, seconds: 10, requests: 500, share: 0.05)
            #expect(end.state == .progressing)
            #expect(end.step == 1)
        }
    }

    @Test("a candidate that is much slower, but far from the limit, goes on")
    func harmless() {
        let end = Self.rollOut(Behaviour(median: 12), seed: 3, seconds: 10, requests: 500, share: 0.05, limit: 1000)
        #expect(end.state == .progressing && end.step == 1)
    }

    @Test("counters that begin again with the process are taken as new events")
    func restarted() {
        var analysis = RolloutAnalysis()
        var random = SeededGenerator(seed: 1)
        for _ in 0..<4 {
            let (old, new) = (ArmStatistics(), ArmStatistics())
            for _ in 0..<2000 {
                Behaviour().answer(&random, into: old)
                Behaviour(failures: 0.05).answer(&random, into: new)
            }
            analysis.look(stable: old.read(), candidate: new.read(), slowdown: 1.5, harmless: 1)
        }
        #expect(analysis.objection(alpha: 0.05, shift: 0.25)?.hasPrefix("it fails") == true)
    }

    @Test("bins of outputs rise with the value and hold what they say", arguments: [1, 2, 3] as [UInt64])
    func bins(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let values = (0..<2000).map { _ in random.normal() * exp(3 * random.normal()) }.sorted()
        let bins = values.map(OutputBins.bin)
        #expect(zip(bins, bins.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(bins.allSatisfy { $0 >= 0 && $0 < OutputBins.count })
        #expect(OutputBins.bin(of: 0.5) != OutputBins.bin(of: 0.54))
        #expect(OutputBins.bin(of: .greatestFiniteMagnitude) == OutputBins.count - 1)
        #expect(OutputBins.bin(of: -.greatestFiniteMagnitude) == 0)
        #expect(OutputBins.bin(of: 0) == OutputBins.count / 2)
    }
}

/// What `make soak` looks at for longer.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] != nil))
struct RolloutAnalysisSoak {
    @Test("of a thousand candidates that are no other than the stable version, at most one in twenty is taken back")
    func aThousand() {
        let alarms = RolloutAnalysisTests.falseAlarms(of: 1000)
        print("rollouts of equals: \(alarms) of 1000 taken back at alpha 0.05")
        #expect(alarms <= 50)
    }
}

/// Draws that are the same for the same seed.
struct SeededGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = SplitMix.mix(seed) }

    /// From 0 up to 1.
    mutating func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Double(SplitMix.mix(state) >> 11) * 0x1p-53
    }

    /// By Box and Muller.
    mutating func normal() -> Double {
        (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform())
    }
}
