import Basics
import Foundation
import Serving
import Testing

@Suite struct AutoscalerTests {
    /// Decides once a second; what was wanted runs a second later.
    private static func run(
        _ policy: ScalingPolicy, _ trace: [ScalingSample], starting: Int? = nil
    ) -> [ScalingDecision] {
        var autoscaler = Autoscaler(policy)
        var running = starting ?? max(1, policy.minimum)
        return trace.enumerated().map { second, sample in
            let decision = autoscaler.decide(sample, running: running, at: Double(second))
            running = decision.desired
            return decision
        }
    }

    private static func load(_ values: [Double]) -> [ScalingSample] { values.map { ScalingSample(concurrency: $0) } }

    /// By hand: the panic window's 6 seconds and the stable window's 60 see a step from 1 to 20 after a minute of 1.
    @Test func aStepIsFollowedAtOnceAndLeftSlowly() {
        let policy = ScalingPolicy(minimum: 1, maximum: 50, targetConcurrency: 2)
        let trace =
            Array(repeating: 1.0, count: 60) + Array(repeating: 20, count: 120) + Array(repeating: 0, count: 240)
        let decisions = Self.run(policy, Self.load(trace))
        let desired = decisions.map(\.desired)
        #expect(desired[0..<60].allSatisfy { $0 == 1 })
        // One second of 20 among five of 1: 25/6 = 4.2 requests, 2.1 replicas' worth, 3 replicas: sudden.
        #expect(desired[60] == 3 && decisions[60].reason == .panic)
        #expect(abs(decisions[60].panicConcurrency - 25.0 / 6) < 1e-9)
        #expect(abs(decisions[60].stableConcurrency - 79.0 / 60) < 1e-9)
        // Six seconds of 20: 10 replicas, and no more than that from then on.
        #expect(desired[65] == 10 && desired[60...179].allSatisfy { $0 <= 10 })
        #expect(zip(desired[60...179], desired[61...180]).allSatisfy { $0 <= $1 })
        // The load is gone at 180; the stable average falls to 0 at 239 and takes at most half away at once.
        #expect(desired[182] == 10 && desired[210] < 10 && desired[239] == 1)
        #expect(zip(desired[180...], desired[181...]).allSatisfy { $0 >= $1 && $1 * 2 + 1 >= $0 })
        #expect(decisions[419].reason == .minimum)
    }

    @Test func theLastReplicaGoesAfterTheGraceAndComesBackForTheFirstRequest() {
        var policy = ScalingPolicy(minimum: 0, maximum: 4)
        policy.stableSeconds = 20
        policy.panicSeconds = 2
        policy.zeroGraceSeconds = 10
        var trace = Array(repeating: 1.0, count: 30) + Array(repeating: 0, count: 60)
        trace += [1, 1, 1, 0, 0]
        let decisions = Self.run(policy, Self.load(trace))
        // The last request was at 29; 30 seconds later nothing is left.
        #expect(decisions[58].desired == 1 && decisions[59].desired == 0 && decisions[59].reason == .idle)
        #expect(decisions[59..<90].allSatisfy { $0.desired == 0 })
        #expect(decisions[90].desired == 1 && decisions[94].desired == 1)
    }

    @Test func aDelayKeepsReplicasThroughPauses() {
        var policy = ScalingPolicy(minimum: 1, maximum: 10)
        policy.stableSeconds = 5
        policy.panicSeconds = 5
        policy.panicThreshold = 1000
        policy.downDelaySeconds = 30
        policy.tolerance = 0
        let trace = (0..<200).map { ($0 / 10) % 2 == 0 ? 6.0 : 0 }
        let decisions = Self.run(policy, Self.load(trace))
        #expect(decisions[10...].allSatisfy { $0.desired == 6 })
        #expect(decisions.contains { $0.reason == .delayed })
        policy.downDelaySeconds = 0
        #expect(Self.run(policy, Self.load(trace)).contains { $0.desired == 1 })
    }

    @Test func slowAnswersAskForMoreUntilAWindowWithoutThem() {
        var policy = ScalingPolicy(minimum: 1, maximum: 8, targetConcurrency: 100, targetSeconds: 0.1)
        policy.stableSeconds = 10
        policy.panicSeconds = 10
        let trace = (0..<60).map { second in
            ScalingSample(concurrency: 1, requestsPerSecond: 5, p95Seconds: second == 20 ? 0.35 : 0.05)
        }
        let decisions = Self.run(policy, trace)
        #expect(decisions[19].desired == 1)
        // 0.35 s for 0.1 s: 3.5 times as many, rounded up.
        #expect(decisions[20].desired == 4 && decisions[20].reason == .latency)
        #expect(decisions[20...29].allSatisfy { $0.desired == 4 })
        #expect(decisions[32].desired == 1)
    }

    /// Loads of many shapes, bounds and windows: what is wanted is what a program of its own computes from the same rules.
    @Test func randomTracesAgreeWithTheOracle() throws {
        struct Policy: Encodable {
            var stable, panic, min, max, delay, grace: Int
            var target, threshold, tolerance: Double
            var latency: Double?

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: Key.self)
                for (key, value) in [
                    (Key.stable, stable), (.panic, panic), (.min, min), (.max, max), (.delay, delay), (.grace, grace),
                ] { try container.encode(value, forKey: key) }
                try container.encode(target, forKey: .target)
                try container.encode(threshold, forKey: .threshold)
                try container.encode(tolerance, forKey: .tolerance)
                try container.encode(latency, forKey: .latency)
            }

            enum Key: String, CodingKey {
                case stable, panic, min, max, delay, grace, target, threshold, tolerance, latency
            }
        }
        struct Case: Encodable {
            var policy: Policy
            var trace: [[Double?]]
        }
        var random = SeededNumbers(seed: 5)
        var cases: [(Case, ScalingPolicy, [ScalingSample])] = []
        for round in 0..<120 {
            let stable = Int.random(in: 6...60, using: &random)
            let low = Int.random(in: 0...2, using: &random)
            // Powers of two, so that both programs round the same.
            let target = [0.5, 1, 2, 4][round % 4]
            let policy = Policy(
                stable: stable, panic: Int.random(in: 1...stable, using: &random), min: low,
                max: low + Int.random(in: 1...20, using: &random),
                delay: round % 3 == 0 ? Int.random(in: 1...40, using: &random) : 0,
                grace: Int.random(in: 0...30, using: &random), target: target, threshold: [1.5, 2, 3][round % 3],
                tolerance: [0, 0.125][round % 2], latency: round % 4 == 0 ? 0.25 : nil)
            var own = ScalingPolicy(
                minimum: policy.min, maximum: policy.max, targetConcurrency: target, targetSeconds: policy.latency)
            own.stableSeconds = Double(policy.stable)
            own.panicSeconds = Double(policy.panic)
            own.panicThreshold = policy.threshold
            own.downDelaySeconds = Double(policy.delay)
            own.zeroGraceSeconds = Double(policy.grace)
            own.tolerance = policy.tolerance
            let trace = Self.shape(round, &random)
            let times = trace.map {
                $0 > 0 && policy.latency != nil ? Double(Int.random(in: 1...64, using: &random)) / 64 : nil
            }
            let samples = zip(trace, times).map { ScalingSample(concurrency: $0, p95Seconds: $1) }
            cases.append((Case(policy: policy, trace: zip(trace, times).map { [$0, $1] }), own, samples))
        }
        let lines = try cases.map { String(decoding: try JSONEncoder().encode($0.0), as: UTF8.self) }
        let answers = try Self.oracle(lines.joined(separator: "\n") + "\n")
        #expect(answers.count == cases.count)
        for (number, (entry, answer)) in zip(cases, answers).enumerated() {
            let desired = Self.run(entry.1, entry.2).map(\.desired)
            #expect(desired == answer, "case \(number): \(lines[number])")
            #expect(desired.allSatisfy { ($0 >= entry.1.minimum && $0 <= entry.1.maximum) })
        }
    }

    /// Steps, ramps, spikes, days and flapping, in whole requests.
    private static func shape(_ round: Int, _ random: inout SeededNumbers) -> [Double] {
        let height = Double(Int.random(in: 1...40, using: &random))
        let period = Int.random(in: 2...50, using: &random)
        return (0..<300).map { second in
            switch round % 6 {
            case 0: second < 60 || second > 180 ? 0 : height
            case 1: (height * Double(second) / 300).rounded()
            case 2: second % 97 == 50 ? height * 10 : 1
            case 3: max(0, (height * sin(Double(second) / 40)).rounded())
            case 4: (second / period) % 2 == 0 ? height : 0
            default: Double(Int.random(in: 0...Int(height), using: &random))
            }
        }
    }

    private static func oracle(_ input: String) throws -> [[Int]] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../../Oracles/autoscaler.py"
        process.arguments = ["python3", script]
        let (into, out) = (Pipe(), Pipe())
        process.standardInput = into
        process.standardOutput = out
        try process.run()
        DispatchQueue.global().async {
            into.fileHandleForWriting.write(Data(input.utf8))
            try? into.fileHandleForWriting.close()
        }
        let text = String(decoding: try out.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return try text.split(separator: "\n").map { try JSON.decode([Int].self, from: String($0)) }
    }

    @Test func boundsAreReadFromText() {
        #expect(ScalingPolicy(bounds: "0:4") == ScalingPolicy(minimum: 0, maximum: 4))
        for text in ["", "3", "4:3", "-1:2", "0:0", "1:65", "1:2:3", "a:b"] {
            #expect(ScalingPolicy(bounds: text) == nil)
        }
    }
}

/// Numbers that are the same in every run.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
