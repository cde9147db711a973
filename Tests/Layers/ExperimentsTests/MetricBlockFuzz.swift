import Basics
import TestSupport
import Testing

@testable import Experiments

/// Blocks of metrics: every point comes back bit by bit, and bytes that are no block are refused.
@Suite struct MetricBlockFuzz {
    private static let values: [Double] = [
        0, -0.0, 1, -1, .nan, .signalingNaN, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude,
    ]
    private static let counts: [Int64] = [0, 1, -1, 63, 64, -64, -65, .max, .min, .max - 1, 1 << 53]

    private func points(_ fuzzer: Fuzzer) -> [MetricPoint] {
        func number(_ last: Int64) -> Int64 {
            switch fuzzer.below(4) {
            case 0: fuzzer.one(of: Self.counts)
            case 1: Int64(bitPattern: fuzzer.random.next())
            default: last &+ Int64(fuzzer.below(100))
            }
        }
        var (time, step): (Int64, Int64) = (0, 0)
        return (0..<fuzzer.below(40)).map { _ in
            (time, step) = (number(time), number(step))
            let value =
                fuzzer.isOne(in: 2) ? fuzzer.one(of: Self.values) : Double(bitPattern: fuzzer.random.next())
            return MetricPoint(key: "m", value: value, step: step, time: Timestamp(microseconds: time))
        }
    }

    /// Times, steps and the very bits of values; nothing else of a point is in a block.
    private func bits(_ points: [MetricPoint]) -> [[UInt64]] {
        points.map {
            [UInt64(bitPattern: $0.time.microseconds), UInt64(bitPattern: $0.step), $0.value.bitPattern]
        }
    }

    @Test func everyPointComesBack() throws {
        let fuzzer = Fuzzer(pieces: [])
        for _ in fuzzer.rounds(atLeast: 3000) {
            let points = points(fuzzer)
            let block = try MetricBlock(MetricBlock(points).bytes, count: points.count, key: "m")
            #expect(bits(block.points) == bits(points), "seed \(fuzzer.seed)")
        }
    }

    @Test func bytesThatAreNoBlockAreRefused() throws {
        let fuzzer = Fuzzer(pieces: ["\u{1}", "\u{0}", "\u{7F}", "\u{80}\u{80}\u{80}\u{80}\u{80}"])
        var (taken, refused) = (0, 0)
        for _ in fuzzer.rounds(atLeast: 10_000) {
            let points = points(fuzzer)
            let sound = MetricBlock(points).bytes
            let bytes = fuzzer.isOne(in: 8) ? fuzzer.noise(below: 100) : fuzzer.mutated(sound)
            let count =
                fuzzer.isOne(in: 4)
                ? fuzzer.one(of: [-1, 0, 1, points.count + 1, points.count - 1, .max, .min, .max / 8]) : points.count
            do {
                let block = try MetricBlock(bytes, count: count, key: "m")
                taken += 1
                // What was read is what stands there: written again it reads the same.
                let again = try MetricBlock(MetricBlock(block.points).bytes, count: count, key: "m")
                #expect(bits(again.points) == bits(block.points), "seed \(fuzzer.seed)")
            } catch ExperimentsFailure.damagedHistory(let key) {
                refused += 1
                #expect(key == "m")
            }
        }
        #expect(taken > 300 && refused > 300, "\(taken) taken, \(refused) refused")
    }
}
