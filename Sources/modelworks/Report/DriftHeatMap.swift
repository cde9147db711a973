import Basics

/// Population stability index by feature and week: the features that moved most on top.
enum DriftHeatMap {
    private static let mostRows = 40

    private struct Row {
        let feature: String
        let values: [Double?]
        let most: Double?
    }

    /// - Parameter events: alerts and retrains get a mark above their week.
    static func render(_ drift: DemoReport.Drift, events: [DemoReport.Event] = []) -> Markup {
        let rows = sortedRows(drift)
        guard !rows.isEmpty, !drift.weeks.isEmpty, rows.contains(where: { $0.most != nil }) else {
            return Picture.nothing("No drift was measured: there is no week with enough predictions to compare.")
        }
        let shown = rows.prefix(mostRows)
        let left = min(260, 14 + (shown.map { Picture.textWidth($0.feature) }.max() ?? 0))
        let right = Picture.width - 52
        let cell = (right - left) / Double(drift.weeks.count)
        let height = 18.0
        let marks = weekMarks(events, weeks: drift.weeks, left: left, cell: cell)
        let top = Picture.markHeight(marks, from: left, to: right) + 20
        let bottom = top + Double(shown.count) * height

        var parts = [Picture.text("tick", Picture.width - 4, top - 8, "max", anchor: "end")]
        for (index, row) in shown.enumerated() {
            let y = top + Double(index) * height
            let name = TextWidth.truncated(row.feature, to: Int(left / 6.4))
            parts.append(
                .tag(
                    "text",
                    ["class": "row-name", "x": Picture.at(left - 8), "y": Picture.at(y + 13), "text-anchor": "end"],
                    [.text(name), .tag("title", [:], row.feature)]))
            parts.append(
                Picture.text("row-value", Picture.width - 4, y + 13, Numbers.fixed(row.most, 2), anchor: "end"))
            for (column, week) in drift.weeks.enumerated() {
                let value = row.values[column]
                parts.append(
                    Picture.rectangle(
                        "cell \(shade(value, drift))", x: left + Double(column) * cell, y: y, width: cell - 1,
                        height: height - 1,
                        tooltip: "\(row.feature), week of \(Numbers.day(week)): "
                            + (value.map { "PSI \(Numbers.fixed($0, 3))" } ?? "too few values")))
            }
        }
        parts += Picture.draw(marks, from: left, to: right, top: top - 4, bottom: top - 1)
        parts += weekTexts(drift.weeks, left: left, cell: cell, y: bottom + 15)

        var below: [Markup] = [Picture.frame(height: bottom + 26, name: "Drift by feature and week", parts)]
        if rows.count > shown.count {
            let rest = rows.dropFirst(shown.count).compactMap(\.most).max()
            below.append(
                .tag(
                    "p", ["class": "note"],
                    "\(rows.count - shown.count) more features stayed at or below \(Numbers.fixed(rest, 3))."))
        }
        return .tag("figure", [:], [legend(drift)] + below)
    }

    /// The style class for a value: three quiet shades below the first threshold, two up to the second, two above.
    static func shade(_ value: Double?, _ drift: DemoReport.Drift) -> String {
        guard let value, value.isFinite else { return "none" }
        return "p\(bounds(drift).count { value >= $0 })"
    }

    private static func bounds(_ drift: DemoReport.Drift) -> [Double] {
        let (watch, alert) = (drift.watch, max(drift.watch, drift.alert))
        return [watch / 4, watch / 2, watch, (watch + alert) / 2, alert, alert * 2.5]
    }

    private static func legend(_ drift: DemoReport.Drift) -> Markup {
        let bounds = bounds(drift).map { short($0) }
        let texts = zip(["0"] + bounds, bounds).map { "\($0)–\($1)" } + ["\(bounds.last ?? "") and more"]
        var entries = texts.enumerated().map { (kind: "p\($0.offset)", text: $0.element) }
        entries.append((kind: "none", text: "too few values"))
        return Picture.legend(entries)
    }

    private static func short(_ value: Double) -> String {
        let text = Numbers.fixed(value, 3)
        return text.contains(".") ? String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed()) : text
    }

    private static func sortedRows(_ drift: DemoReport.Drift) -> [Row] {
        let rows = drift.features.enumerated().map { index, feature in
            let given = drift.psi.indices.contains(index) ? drift.psi[index] : []
            let values = drift.weeks.indices.map { week in
                given.indices.contains(week) ? given[week].flatMap { $0.isFinite ? $0 : nil } : nil
            }
            return Row(feature: feature, values: values, most: values.compactMap { $0 }.max())
        }
        return rows.sorted { ($0.most ?? -1, $1.feature) > ($1.most ?? -1, $0.feature) }
    }

    private static func weekMarks(
        _ events: [DemoReport.Event], weeks: [Timestamp], left: Double, cell: Double
    ) -> [Picture.Mark] {
        DemoReport.Event.Kind.allCases.filter { $0 == .alert || $0 == .retrain }.compactMap { kind in
            guard let event = events.filter({ $0.kind == kind }).min(by: { $0.time < $1.time }),
                let column = weeks.lastIndex(where: { $0 <= event.time })
            else { return nil }
            return Picture.Mark(
                x: left + (Double(column) + 0.5) * cell, text: kind == .alert ? "first alert" : "retrain",
                kind: EventMarks.kind(kind), tooltip: "\(Numbers.minute(event.time)) UTC: \(event.label)")
        }
    }

    private static func weekTexts(_ weeks: [Timestamp], left: Double, cell: Double, y: Double) -> [Markup] {
        var free = 0.0
        return weeks.enumerated().compactMap { column, week in
            let text = Numbers.day(week, year: false)
            let (middle, half) = (left + (Double(column) + 0.5) * cell, Picture.textWidth(text) / 2)
            guard middle - half >= free, middle + half <= Picture.width else { return nil }
            free = middle + half + 12
            return Picture.text("tick", middle, y, text, anchor: "middle")
        }
    }
}
