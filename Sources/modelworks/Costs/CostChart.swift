/// Cost against latency, a mark for each way to serve a model: what lies left and below is better at both.
enum CostChart {
    private static let left = 96.0
    private static let right = Picture.width - 24
    private static let top = 24.0
    private static let bottom = 380.0

    /// A picture that can be opened by itself.
    static func picture(_ table: CostTable) -> Markup {
        let lines = table.lines.filter { ($0.p50 ?? 0) > 0 && $0.perThousand > 0 }
        let without = table.lines.filter { $0.p50 == nil && $0.perThousand > 0 }
        let latencies = lines.flatMap { [$0.p50, $0.p99].compactMap { $0 } }
        let costs = (lines + without).map(\.perThousand)
        guard let least = latencies.min(), let most = latencies.max(), let low = costs.min(), let high = costs.max()
        else { return Picture.frame(height: 60, name: "Cost against latency", [note("Nothing was measured.")]) }
        let time = Scale(logarithmic: least / 1.5, most * 1.5, from: left, to: right)
        let cost = Scale(logarithmic: low / 1.5, high * 1.5, from: bottom, to: top)
        var parts: [Markup] = [.tag("style", [:], [.styleSheet(ReportStyle.css)])]
        parts += Picture.valueAxis(cost, ticks: cost.ticks(5), from: left, to: right) { AdviseCommand.money($0) }
        parts.append(Picture.line("axis", left, bottom, right, bottom))
        for tick in time.ticks(8) {
            parts.append(Picture.line("axis", time(tick), bottom, time(tick), bottom + 4))
            parts.append(
                Picture.text("tick", time(tick), bottom + 17, Numbers.milliseconds(tick), anchor: "middle"))
        }
        parts.append(Picture.text("tick", left, top - 10, "cost of 1,000 predictions"))
        parts.append(Picture.text("tick", right, bottom + 34, "latency, from p50 to p99", anchor: "end"))
        for (index, line) in lines.enumerated() {
            guard let p50 = line.p50 else { continue }
            let (x, y) = (time(p50), cost(line.perThousand))
            parts.append(Picture.line("axis", x, y, time(line.p99 ?? p50), y))
            parts.append(
                Picture.rectangle(
                    "arm\(index % 6)", x: x - 5, y: y - 5, width: 10, height: 10,
                    tooltip: "\(line.name): p50 \(Numbers.milliseconds(p50)), p99 \(Numbers.milliseconds(line.p99)), "
                        + "\(AdviseCommand.money(line.perThousand)) for 1,000"))
            parts.append(Picture.text("label", x + 8, y - 7, line.name))
        }
        // Nobody waits for a row of a table: its cost is a line across.
        for line in without {
            let y = cost(line.perThousand)
            parts.append(Picture.line("mark", left, y, right, y))
            parts.append(Picture.text("label", right, y - 6, line.name, anchor: "end"))
        }
        return Picture.frame(height: bottom + 44, name: "Cost against latency of \(table.model)", parts)
    }

    private static func note(_ text: String) -> Markup { Picture.text("tick", left, 30, text) }
}
