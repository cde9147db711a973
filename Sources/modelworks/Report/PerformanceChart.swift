import Basics

/// AUC by week of both models and of what was served, with the happenings marked, above a strip of traffic volume.
enum PerformanceChart {
    private struct Line {
        let name: String
        let kind: String
        let values: [Double?]
    }

    private static let left = 56.0
    private static let right = Picture.width - 20
    private static let week = 7.0 * 86_400

    static func render(_ report: DemoReport) -> Markup {
        let weeks = report.weeks.sorted { $0.weekStart < $1.weekStart }
        let lines = [
            Line(name: "served", kind: "served", values: weeks.map(\.servedAUC)),
            Line(name: "champion", kind: "champion", values: weeks.map(\.championAUC)),
            Line(name: "challenger", kind: "challenger", values: weeks.map(\.challengerAUC)),
        ]
        let known = lines.flatMap(\.values).compactMap { $0 }.filter(\.isFinite)
        guard let first = weeks.first, let last = weeks.last, let least = known.min(), let most = known.max() else {
            return Picture.nothing("No week has an AUC yet: labels have not arrived, or nothing was served.")
        }
        let time = Scale(
            first.weekStart.secondsSince1970, last.weekStart.secondsSince1970 + week, from: left, to: right)
        let marks = EventMarks.marks(report.events, on: time, mergingWithin: 60)
        let top = Picture.markHeight(marks, from: left, to: right) + 22
        let plotBottom = top + 270
        let margin = max(0.01, (most - least) * 0.12)
        let auc = Scale(max(0, least - margin), min(1, most + margin), from: plotBottom, to: top)

        var parts = Picture.valueAxis(auc, ticks: auc.ticks(9), from: left, to: right) { Numbers.fixed($0, 2) }
        parts += Picture.draw(marks, from: left, to: right, top: top, bottom: plotBottom + 66)
        parts.append(Picture.text("axis-name", left - 8, top - 10, "AUC", anchor: "end"))
        for line in lines { parts += draw(line, weeks: weeks, time: time, auc: auc) }
        parts += volume(weeks, time: time, top: plotBottom + 14, bottom: plotBottom + 66)
        parts += Picture.timeAxis(time, y: plotBottom + 66)

        let present = lines.filter { $0.values.contains { $0 != nil } }
        let legend = present.map { (kind: "line-\($0.kind)", text: $0.name) }
        return .tag(
            "figure", [:],
            [
                Picture.legend(
                    legend + [("bar-requests", "requests in the week"), ("bar-labels", "of these with a label")]),
                Picture.frame(height: plotBottom + 90, name: "AUC by week", parts), numbers(weeks),
            ])
    }

    private static func draw(_ line: Line, weeks: [DemoReport.Week], time: Scale, auc: Scale) -> [Markup] {
        var path = ""
        var isDown = false
        var dots: [Markup] = []
        for (week, value) in zip(weeks, line.values) {
            guard let value, value.isFinite else {
                isDown = false
                continue
            }
            let (x, y) = (middle(week, time), auc(value))
            path += "\(isDown ? "L" : "M")\(Picture.at(x)) \(Picture.at(y))"
            isDown = true
            dots.append(
                .tag(
                    "circle",
                    [
                        "class": "dot \(line.kind)", "cx": Picture.at(x), "cy": Picture.at(y),
                        "r": line.kind == "served" ? "5" : "2.6",
                    ],
                    [
                        .tag(
                            "title", [:],
                            "\(line.name), week of \(Numbers.day(week.weekStart)): AUC \(Numbers.fixed(value, 4))")
                    ]))
        }
        return [.tag("path", ["class": "line \(line.kind)", "d": path])] + dots
    }

    private static func middle(_ each: DemoReport.Week, _ time: Scale) -> Double {
        time(each.weekStart.secondsSince1970 + week / 2)
    }

    private static func volume(_ weeks: [DemoReport.Week], time: Scale, top: Double, bottom: Double) -> [Markup] {
        let most = weeks.map { max($0.requests, $0.labels) }.max() ?? 0
        guard most > 0 else { return [] }
        let scale = Scale(0, Double(most), from: bottom, to: top)
        var parts = [
            Picture.text("tick", left - 8, top + 8, compact(most), anchor: "end"),
            Picture.text("tick", left - 8, bottom, "0", anchor: "end"),
        ]
        for each in weeks {
            let start = time(each.weekStart)
            let width = max(2, time(each.weekStart.secondsSince1970 + week) - start - 3)
            let tooltip =
                "Week of \(Numbers.day(each.weekStart)): \(Numbers.grouped(each.requests)) requests, "
                + "\(Numbers.grouped(each.labels)) labels"
            for (kind, count) in [("bar-requests", each.requests), ("bar-labels", each.labels)] where count > 0 {
                let inset = kind == "bar-labels" ? width * 0.22 : 0
                parts.append(
                    Picture.rectangle(
                        kind, x: start + 1.5 + inset, y: scale(Double(count)), width: width - 2 * inset,
                        height: bottom - scale(Double(count)), tooltip: tooltip))
            }
        }
        return parts
    }

    private static func compact(_ count: Int) -> String {
        count < 10_000 ? Numbers.grouped(count) : Numbers.significant(Double(count) / 1000) + "k"
    }

    private static func numbers(_ weeks: [DemoReport.Week]) -> Markup {
        ReportTable.details(
            "The figures",
            ReportTable.render(
                [
                    ("week of", false), ("champion", true), ("challenger", true), ("served", true), ("requests", true),
                    ("labels", true),
                ],
                weeks.map { week in
                    [
                        Numbers.day(week.weekStart), Numbers.fixed(week.championAUC, 4),
                        Numbers.fixed(week.challengerAUC, 4), Numbers.fixed(week.servedAUC, 4),
                        Numbers.grouped(week.requests), Numbers.grouped(week.labels),
                    ]
                }))
    }
}
