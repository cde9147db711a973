import Basics
import Foundation

/// How many answers took how long, on a logarithmic time axis, with the median and the 99th percentile marked.
enum LatencyChart {
    private struct Bar {
        let low: Double
        let high: Double
        let count: Int
        let isOpen: Bool
    }

    private static let left = 64.0
    private static let right = Picture.width - 20

    static func render(_ latency: DemoReport.Latency) -> Markup {
        let bars = bars(latency.buckets)
        guard let first = bars.first, let last = bars.last else {
            return Picture.nothing("No latency was measured: no request was answered.")
        }
        let percentiles = [("p50", latency.p50), ("p99", latency.p99)].compactMap { name, value in
            value.flatMap { $0.isFinite && $0 > 0 ? (name: name, value: $0) : nil }
        }
        let low = percentiles.map(\.value).reduce(first.low) { min($0, $1) }
        let high = percentiles.map(\.value).reduce(last.high) { max($0, $1) }
        let time = Scale(logarithmic: low, high, from: left, to: right)
        let marks = percentiles.map {
            Picture.Mark(
                x: time($0.value), text: "\($0.name) \(Numbers.milliseconds($0.value))", kind: $0.name,
                tooltip: "\($0.name): \($0.value) ms")
        }
        let top = Picture.markHeight(marks, from: left, to: right) + 12
        let bottom = top + 200
        let total = bars.reduce(0.0) { $0 + Double($1.count) }
        let count = Scale(0, Double(bars.map(\.count).max() ?? 1) * 1.05, from: bottom, to: top)

        var parts = Picture.valueAxis(count, ticks: count.ticks(4), from: left, to: right) {
            Numbers.significantCount($0)
        }
        for bar in bars where bar.count > 0 {
            let (x, y) = (time(bar.low), min(bottom - 1.5, count(Double(bar.count))))
            let range =
                bar.isOpen
                ? "over \(Numbers.milliseconds(bar.low))"
                : "\(Numbers.milliseconds(bar.low)) to \(Numbers.milliseconds(bar.high))"
            parts.append(
                Picture.rectangle(
                    "latency-bar", x: x + 0.5, y: y, width: max(1, time(bar.high) - x - 1), height: bottom - y,
                    tooltip: "\(range): \(Numbers.grouped(bar.count)) answers "
                        + "(\(Numbers.fixed(Double(bar.count) / total * 100, 2))%)"))
        }
        parts += axis(time, y: bottom)
        parts += Picture.draw(marks, from: left, to: right, top: top, bottom: bottom)
        return .tag("figure", [:], [Picture.frame(height: bottom + 26, name: "Latency of answers", parts)])
    }

    private static func axis(_ time: Scale, y: Double) -> [Markup] {
        var parts = [Picture.line("axis", left, y, right, y)]
        var free = 0.0
        for tick in time.ticks(8) {
            let text = Numbers.milliseconds(tick).replacing(".00", with: "").replacing(".0", with: "")
            let (x, half) = (time(tick), Picture.textWidth(text) / 2)
            guard x - half >= free, x + half <= Picture.width else { continue }
            free = x + half + 10
            parts += [Picture.line("axis", x, y, x, y + 4), Picture.text("tick", x, y + 17, text, anchor: "middle")]
        }
        return parts
    }

    /// Buckets as stretches of time, without the empty ones at both ends.
    private static func bars(_ buckets: [DemoReport.Latency.Bucket]) -> [Bar] {
        let closed = buckets.compactMap { bucket in
            bucket.upperBoundMs.flatMap { $0.isFinite && $0 > 0 ? (bound: $0, count: max(0, bucket.count)) : nil }
        }.sorted { $0.bound < $1.bound }
        var bars: [Bar] = []
        for (index, bucket) in closed.enumerated() {
            // The first bucket begins at zero, which a logarithmic axis does not have: it gets its neighbour's width.
            let ratio = closed.count > 1 ? closed[1].bound / closed[0].bound : 2
            let low = index > 0 ? closed[index - 1].bound : bucket.bound / max(1.05, min(10, ratio))
            bars.append(Bar(low: low, high: bucket.bound, count: bucket.count, isOpen: false))
        }
        let open = buckets.filter { $0.upperBoundMs.map { !$0.isFinite } ?? true }.reduce(0) {
            let (sum, isOver) = $0.addingReportingOverflow(max(0, $1.count))
            return isOver ? .max : sum
        }
        if open > 0, let last = bars.last {
            bars.append(Bar(low: last.high, high: last.high * (last.high / last.low), count: open, isOpen: true))
        }
        guard let first = bars.firstIndex(where: { $0.count > 0 }), let last = bars.lastIndex(where: { $0.count > 0 })
        else { return [] }
        return Array(bars[first...last])
    }
}
