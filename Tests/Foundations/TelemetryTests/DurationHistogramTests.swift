import Basics
import Foundation
import Testing

@testable import Telemetry

/// Quantiles of durations against sorting.
struct DurationHistogramTests {
    @Test(arguments: 1...5) func quantilesAreWithinOnePercent(seed: Int) {
        let random = SeededRandom(seed: UInt64(seed))
        var counts = DurationCounts()
        // From a nanosecond to a minute, evenly by order of magnitude.
        let durations = (0..<20_000).map { _ in
            UInt64(exp(Double(random.next() >> 11) / 0x1p53 * log(60e9)))
        }
        for duration in durations { counts.observe(nanoseconds: duration) }
        let sorted = durations.sorted()
        for share in [0, 0.001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1] {
            let exact = Double(sorted[max(0, Int((share * 20_000).rounded(.up)) - 1)])
            let found = counts.quantile(share) ?? .nan
            #expect(abs(found - exact) <= 0.01 * exact, "\(share): \(found), not \(exact)")
        }
        #expect(counts.count == 20_000)
        #expect(counts.nanoseconds == durations.reduce(0, +))
    }

    @Test func everyDurationHasTheBucketItLiesIn() {
        let edges = (0..<40).flatMap { power in
            [UInt64(1) << power, (UInt64(1) << power) + 1, (UInt64(1) << power) - 1]
        }
        for duration in edges where duration < 137_000_000_000 {
            let middle = Double(DurationCounts.middle(DurationCounts.bucket(duration)))
            #expect(abs(middle - Double(duration)) <= Double(duration) / 128, "\(duration)")
        }
        #expect(DurationCounts.bucket(.max) == DurationCounts.bucketCount - 1)
        let middles = (0..<DurationCounts.bucketCount).map(DurationCounts.middle)
        #expect(zip(middles, middles.dropFirst()).allSatisfy { $0 < $1 })
        #expect(middles.indices.allSatisfy { DurationCounts.bucket(middles[$0]) == $0 })
    }

    @Test func partsAddUpToTheWhole() {
        let random = SeededRandom(seed: 7)
        var (whole, parts) = (DurationCounts(), (0..<3).map { _ in DurationCounts() })
        for turn in 0..<3000 {
            let duration = random.next() >> (random.next() % 60)
            whole.observe(nanoseconds: duration)
            parts[turn % 3].observe(nanoseconds: duration)
        }
        var sum = DurationCounts()
        for part in parts { sum.add(part) }
        #expect(sum == whole)
        #expect(DurationCounts().quantile(0.5) == nil)
        #expect(DurationCounts().mean == nil)
    }

    @Test func threadsLoseNothing() async {
        let histogram = DurationHistogram()
        await withTaskGroup(of: Void.self) { group in
            for caller in 0..<8 {
                let thread = BlockingThread(name: "observes")
                group.addTask {
                    try? await thread.run {
                        for turn in 0..<10_000 { histogram.observe(nanoseconds: UInt64(caller * 10_000 + turn)) }
                    }
                }
            }
        }
        let counts = histogram.read()
        #expect(counts.count == 80_000)
        #expect(counts.nanoseconds == (0..<80_000).reduce(0, +))
    }

    @Test func prometheusSeesSeconds() {
        let metrics = MetricsRegistry()
        let histogram = metrics.durations("run_seconds", help: "Runs.", labels: ["model": "m"])
        for microseconds in [3, 30, 300, 3000, 60_000_000] {
            histogram.observe(nanoseconds: UInt64(microseconds) * 1000)
        }
        let text = metrics.prometheusText()
        #expect(text.contains("# TYPE run_seconds histogram\n"))
        for (bound, count) in [("5e-06", 1), ("0.0001", 2), ("0.001", 3), ("1", 4), ("30", 4), ("+Inf", 5)] {
            #expect(text.contains("run_seconds_bucket{model=\"m\",le=\"\(bound)\"} \(count)\n"), "\(text)")
        }
        #expect(text.contains("run_seconds_count{model=\"m\"} 5\n"))
        #expect(text.contains("run_seconds_sum{model=\"m\"} 60.003333\n"))
        // The same name and labels are the same counter.
        metrics.durations("run_seconds", help: "Runs.", labels: ["model": "m"]).observe(nanoseconds: 1)
        #expect(histogram.read().count == 6)
    }
}
