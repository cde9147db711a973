import Basics
import Foundation

extension Demonstration {
    /// The numbers that one looks at first.
    var closingTable: String {
        var table = TextTable(["what", "value"], alignments: [.left, .right])
        func number(_ value: Double, _ format: String = "%.4f") -> String { String(format: format, value) }
        table.add("flights", "\(summary.dataset.flights)")
        table.add("rows quarantined", "\(summary.dataset.quarantined)")
        table.add("values checked for leaks", "\(summary.leakCheck.values), \(summary.leakCheck.leaks) leaks")
        table.add("champion, AUC on its holdout", number(summary.champion.aucHoldout))
        table.add("first alert", summary.drift.firstAlertEventTime?.day ?? "–")
        table.add("champion, AUC on the weeks after", number(summary.champion.aucAfterDrift))
        table.add("challenger, AUC on the same weeks", number(summary.challenger.aucSameWeeks))
        table.add(
            "requests answered", "\(summary.requests.total - summary.requests.failed) of \(summary.requests.total)")
        table.add(
            "latency p50 / p99", "\(number(summary.latency.p50, "%.3f")) / \(number(summary.latency.p99, "%.3f")) ms")
        table.add("roll-back of the broken version", "\(number(summary.rollback.seconds)) s")
        table.add("errors clients saw meanwhile", "\(summary.rollback.clientErrors)")
        table.add("journal", "\(summary.journal.entries) entries, \(summary.journal.verified ? "whole" : "DAMAGED")")
        table.add("wall time", number(summary.wallSeconds, "%.1f s"))
        table.add("peak memory", number(Double(summary.peakRSSBytes) / 1e6, "%.0f MB"))
        return table.rendered()
    }

    /// Fills in what is only known at the end.
    func finishReport() {
        let sorted = replay.latencies.sorted()
        func percentile(_ share: Double) -> Double {
            guard !sorted.isEmpty else { return 0 }
            return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1e6
        }
        summary.latency = .init(p50: percentile(0.5), p99: percentile(0.99))
        summary.requests = .init(total: replay.totals.requests, failed: replay.totals.failed)
        var buckets: [DemoReport.Latency.Bucket] = []
        var index = 0
        var bound = 0.02
        while index < sorted.count, bound < 20_000 {
            let start = index
            while index < sorted.count, Double(sorted[index]) / 1e6 <= bound { index += 1 }
            if index > start || !buckets.isEmpty { buckets.append(.init(upperBoundMs: bound, count: index - start)) }
            bound *= 1.25
        }
        report.latency = .init(buckets: buckets, p50: summary.latency.p50, p99: summary.latency.p99)
        report.trafficEnd = until
        report.subtitle =
            "Will a flight arrive more than 15 minutes late? Asked two hours before it leaves, from April on."
        report.facts = [
            .init(
                name: "Flights", value: "\(summary.dataset.flights)",
                note: "\(summary.dataset.quarantined) rows quarantined"),
            .init(
                name: "AUC after the retrain", value: String(format: "%.3f", summary.challenger.aucSameWeeks),
                note: String(format: "the champion: %.3f", summary.champion.aucAfterDrift)),
            .init(
                name: "Requests", value: "\(summary.requests.total)", note: "\(summary.requests.failed) failed"),
            .init(
                name: "p99", value: String(format: "%.2f ms", summary.latency.p99),
                note: String(format: "p50 %.2f ms", summary.latency.p50)),
            .init(
                name: "Roll-back", value: String(format: "%.3f s", summary.rollback.seconds),
                note: "\(summary.rollback.clientErrors) errors seen by clients"),
            .init(
                name: "Leaks", value: "\(summary.leakCheck.leaks)", note: "\(summary.leakCheck.values) values checked"),
        ]
    }
}
