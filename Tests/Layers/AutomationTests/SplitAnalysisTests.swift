import Basics
import Foundation
import Registry
import Statistics
import TestSupport
import Testing

@testable import Automation
@testable import Serving

/// One simulated split: arms with true means, labels by chance.
private struct Simulation {
    let random: SeededRandom
    var split: TrafficSplit
    var analysis: SplitAnalysis
    private(set) var asked = 0

    init(_ policy: TrafficSplit.Policy, arms: Int, seed: UInt64, floor: Double = 0.1) throws {
        random = SeededRandom(seed: seed)
        split = try TrafficSplit(
            id: "simulated", policy: policy,
            arms: try (1...arms).map { .init(version: try ModelVersionID("m/\($0)"), share: 1 / Double(arms)) },
            floor: floor)
        analysis = SplitAnalysis(split)
    }

    func unit() -> Double { Double(random.next() >> 11) * 0x1p-53 }

    /// Exposes one unit to an arm by the shares, and labels it.
    mutating func ask(_ label: (_ arm: Int, _ luck: Double) -> Double) {
        var place = unit()
        var arm = split.arms.count - 1
        for (index, one) in split.arms.enumerated() {
            if place < one.share {
                arm = index
                break
            }
            place -= one.share
        }
        asked += 1
        var bytes = [UInt8](repeating: 0, count: ExposureRecord.bytesMax)
        let id = "\(asked)"
        let exposure = bytes.withUnsafeMutableBytes { buffer in
            Array(id.utf8).withUnsafeBytes { unit in
                let count = ExposureRecord.encode(
                    into: buffer, arm: arm, version: Int64(arm + 1), time: 5, propensity: split.arms[arm].share,
                    split: SplitMix.hash(split.id), unit: unit, unitHash: 0, id: unit)
                return ExposureRecord(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
        if let exposure { analysis.add(exposure) }
        analysis.add(LabelRecord(id: id, value: label(arm, unit()), time: Timestamp(seconds: 1)))
    }
}

@Suite struct SplitAnalysisTests {
    /// ln and roots of the formula by hand, for alpha 0.05 and 1,000 numbers of variance 1: 0.0960.
    @Test func theIntervalIsTheFormulas() {
        var sequence = ConfidenceSequence(tightest: 1000)
        for index in 0..<1000 { sequence.add(index % 2 == 0 ? 1 : -1) }
        let deviation = (1000.0 / 999).squareRoot()
        #expect(abs(sequence.radius(alpha: 0.05) - 0.09598 * deviation) < 1e-4)
        #expect(abs(sequence.mean) < 1e-12)
        var one = ConfidenceSequence()
        one.add(3)
        #expect(one.radius(alpha: 0.05) == .infinity)
    }

    /// Looked at after every fifty labels, and ended at the first finding.
    static func falseAlarms(of trials: Int, policy: TrafficSplit.Policy = .fixed, labels: Int = 2000) throws -> Int {
        try (0..<trials).count { trial in
            var simulation = try Simulation(policy, arms: 2, seed: UInt64(trial) &* 7919 &+ 11)
            for _ in 0..<labels / 50 {
                for _ in 0..<50 { simulation.ask { _, luck in luck < 0.3 ? 1 : 0 } }
                if simulation.analysis.finding != nil { return true }
            }
            return false
        }
    }

    @Test("equal arms are taken apart at most as often as alpha says, however often one looks")
    func equalArms() throws {
        // 0.05 of 200 is 10; 19 or more would come by chance once in two hundred.
        #expect(try Self.falseAlarms(of: 200) < 19)
    }

    @Test("a better arm is found, and the interval holds the true difference", arguments: TrafficSplit.Policy.allCases)
    func betterArm(_ policy: TrafficSplit.Policy) throws {
        var simulation = try Simulation(policy, arms: 3, seed: 5)
        let means = [0.30, 0.30, 0.42]
        var rounds = 0
        while simulation.analysis.finding == nil, rounds < 400 {
            for _ in 0..<50 { simulation.ask { arm, luck in luck < means[arm] ? 1 : 0 } }
            if let shares = simulation.analysis.shares(simulation.random) {
                simulation.split = simulation.split.sharing(shares)
            }
            rounds += 1
        }
        let finding = try #require(simulation.analysis.finding)
        #expect(finding.hasPrefix("m/3 is better than m/1"))
        let report = simulation.analysis.report(simulation.split)
        #expect(report.map(\.version) == ["m/1", "m/2", "m/3"])
        #expect(report.reduce(0) { $0 + $1.exposures } == rounds * 50)
        let difference = try #require(report[2].difference)
        #expect(difference.lower < 0.12 && difference.upper > 0.12 && difference.lower > 0)
    }

    @Test("bandits give the best arm most of the traffic, and the control its floor")
    func bandits() throws {
        for policy in [TrafficSplit.Policy.thompson, .epsilonGreedy] {
            var simulation = try Simulation(policy, arms: 4, seed: 3, floor: 0.15)
            let means = [0.10, 0.12, 0.30, 0.05]
            var rewards = 0.0
            for _ in 0..<100 {
                for _ in 0..<50 {
                    simulation.ask { arm, luck in
                        rewards += luck < means[arm] ? 1 : 0
                        return luck < means[arm] ? 1 : 0
                    }
                }
                simulation.split = simulation.split.sharing(try #require(simulation.analysis.shares(simulation.random)))
                #expect(simulation.split.arms[0].share >= 0.15 - 1e-9)
                #expect(abs(simulation.split.arms.reduce(0) { $0 + $1.share } - 1) < 1e-9)
            }
            #expect(simulation.split.arms[2].share > 0.7)
            // Equal shares would bring 0.1425 an answer.
            #expect(rewards / 5000 > 0.2)
            // Of the estimates the truth is that of the labels drawn, whatever the shares were.
            let best = try #require(simulation.analysis.report(simulation.split)[2].difference)
            #expect(best.lower < 0.2 && best.upper > 0.2)
        }
    }

    @Test("lower labels may be the better ones, and labels need not lie between 0 and 1")
    func otherLabels() throws {
        var split = try Simulation(.thompson, arms: 2, seed: 9)
        split.split.goal = .lower
        split.analysis = SplitAnalysis(split.split)
        for _ in 0..<2000 { split.ask { arm, luck in (arm == 0 ? 100 : 90) + 20 * luck } }
        let shares = try #require(split.analysis.shares(split.random))
        #expect(shares[1] > 0.99)
        #expect(split.analysis.finding?.hasPrefix("m/2 is better than m/1") == true)
    }

    @Test("a unit of an A/B test counts once, and labels may come before their exposure is read")
    func units() throws {
        let split = try TrafficSplit(
            id: "s",
            arms: [
                .init(version: try ModelVersionID("m/1"), share: 0.5),
                .init(version: try ModelVersionID("m/2"), share: 0.5),
            ])
        func exposure(_ unit: String, _ id: String, of split: String = "s") -> ExposureRecord? {
            var bytes = [UInt8](repeating: 0, count: ExposureRecord.bytesMax)
            return bytes.withUnsafeMutableBytes { buffer in
                Array(unit.utf8).withUnsafeBytes { unit in
                    Array(id.utf8).withUnsafeBytes { id in
                        let count = ExposureRecord.encode(
                            into: buffer, arm: 1, version: 2, time: 0, propensity: 0.5, split: SplitMix.hash(split),
                            unit: unit, unitHash: 77, id: id)
                        return ExposureRecord(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    }
                }
            }
        }
        var analysis = SplitAnalysis(split)
        analysis.add(LabelRecord(id: "a", value: 1, time: Timestamp(seconds: 1)))
        for one in [exposure("ann", "a"), exposure("ann", "b"), exposure("bob", "c", of: "other")] {
            analysis.add(try #require(one))
        }
        analysis.add(LabelRecord(id: "b", value: 0, time: Timestamp(seconds: 1)))
        analysis.add(LabelRecord(id: "a", value: 0, time: Timestamp(seconds: 1)))
        let report = analysis.report(split)
        #expect(report[1].exposures == 1 && report[1].labels == 1 && report[1].mean == 1)
        #expect(report[0].exposures == 0 && report[1].difference == nil)
        let long = try #require(exposure(String(repeating: "x", count: 300), "d"))
        #expect(long.unit == [77, 0, 0, 0, 0, 0, 0, 0] && long.id == "d")
        #expect(ExposureRecord(UnsafeRawBufferPointer(start: nil, count: 0)) == nil)
    }

    @Test("shares keep their least values whatever is wanted")
    func shares() throws {
        let random = SeededRandom(seed: 4)
        for _ in 0..<500 {
            let count = 2 + Int(random.next() % 15)
            let split = try TrafficSplit(
                id: "s", policy: .thompson,
                arms: try (0..<count).map {
                    .init(version: try ModelVersionID("m/\($0 + 1)"), share: 1 / Double(count))
                }, floor: Double(random.next() % 80) / 100)
            let wanted = split.arms.map { _ in random.next() % 3 == 0 ? 0 : Double(random.next() % 1000) }
            let next = split.sharing(wanted)
            #expect(abs(next.arms.reduce(0) { $0 + $1.share } - 1) < 1e-9)
            #expect(next.arms.allSatisfy { $0.share >= TrafficSplit.leastShare - 1e-12 })
            #expect((next.arms.first?.share ?? 0) >= split.floor - 1e-12)
            #expect(split.sharing([.nan]) == split)
        }
        let version = try ModelVersionID("m/1")
        #expect(throws: ServingFailure.self) { try TrafficSplit(id: "s", arms: [.init(version: version, share: 1)]) }
        #expect(throws: ServingFailure.self) {
            try TrafficSplit(id: "s", arms: [.init(version: version, share: 0.5), .init(version: version, share: 0.5)])
        }
    }
}

@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1")) struct SplitAnalysisSoak {
    @Test("of a thousand A/A tests at most one in twenty takes equal arms apart")
    func equalArms() throws {
        let alarms = try SplitAnalysisTests.falseAlarms(of: 1000, labels: 5000)
        print("split A/A: 1000 tests of 5000 labels, looked at 100 times each, \(alarms) false alarms")
        #expect(alarms <= 50)
    }
}
