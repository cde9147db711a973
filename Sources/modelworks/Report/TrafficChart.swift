import Basics

/// The share of traffic of each arm as stacked steps over the whole time, and enlarged where changes crowd together.
enum TrafficChart {
    /// One stretch of time with the same split.
    private struct Stretch {
        let from: Double
        let to: Double
        let shares: [Double]
    }

    /// Draws `points` until `end`; `events` name the enlarged parts.
    static func render(_ points: [DemoReport.Traffic], until end: Timestamp?) -> Markup {
        let sorted = points.sorted { $0.time < $1.time }
        let arms = armNames(sorted)
        guard let first = sorted.first, let last = sorted.last, !arms.isEmpty else {
            return Picture.nothing("No traffic was split: no request was answered.")
        }
        let start = first.time.secondsSince1970
        let lastStart = last.time.secondsSince1970
        let assumed = lastStart + max(60, (lastStart - start) * 0.08)
        let stop = max(end.map(\.secondsSince1970) ?? assumed, lastStart + 1)
        let stretches = sorted.indices.map { index in
            Stretch(
                from: sorted[index].time.secondsSince1970,
                to: index + 1 < sorted.count ? sorted[index + 1].time.secondsSince1970 : stop,
                shares: arms.map { max(0, sorted[index].arms[$0] ?? 0) })
        }
        var parts = panel(
            stretches, arms, from: start, to: stop, left: 56, right: Picture.width - 20, top: 10, bottom: 150, ticks: 9)
        var height = 176.0
        let crowds = crowdedParts(stretches, start: start, stop: stop)
        if !crowds.isEmpty {
            let gap = 64.0
            let width = (Picture.width - 76 - gap * Double(crowds.count - 1)) / Double(crowds.count)
            let whole = Scale(start, stop, from: 56, to: Picture.width - 20)
            for (index, crowd) in crowds.enumerated() {
                let left = 56 + Double(index) * (width + gap)
                parts += lens(
                    from: (whole(crowd.lowerBound), whole(crowd.upperBound)), to: (left, left + width), top: 172,
                    bottom: 196)
                parts += panel(
                    stretches, arms, from: crowd.lowerBound, to: crowd.upperBound, left: left, right: left + width,
                    top: 196,
                    bottom: 336, ticks: max(2, Int(width / 75)))
                let title = Numbers.minute(Timestamp(drawnSeconds: crowd.lowerBound))
                parts.append(Picture.text("axis-name", left, 376, "enlarged, from \(title) UTC"))
            }
            height = 386
        }
        let legend = arms.enumerated().map { (kind: "arm\($0.offset % 6)", text: $0.element) }
        return .tag(
            "figure", [:],
            [Picture.legend(legend), Picture.frame(height: height, name: "Traffic by arm over time", parts)])
    }

    private static func panel(
        _ stretches: [Stretch], _ arms: [String], from start: Double, to stop: Double, left: Double, right: Double,
        top: Double, bottom: Double, ticks: Int
    ) -> [Markup] {
        let time = Scale(start, stop, from: left, to: right)
        let share = Scale(0, 1, from: bottom, to: top)
        var parts: [Markup] = []
        for stretch in stretches where stretch.to > start && stretch.from < stop {
            var below = 0.0
            for (arm, value) in stretch.shares.enumerated() where value > 0 {
                let (x, y) = (time(stretch.from), share(below + value))
                parts.append(
                    Picture.rectangle(
                        "arm\(arm % 6)", x: x, y: y, width: max(0.3, time(stretch.to) - x), height: share(below) - y,
                        tooltip: "\(arms[arm]): \(Numbers.percent(value)) from "
                            + "\(Numbers.minute(Timestamp(drawnSeconds: stretch.from))) UTC"))
                below += value
            }
        }
        parts += Picture.valueAxis(share, ticks: [0, 0.25, 0.5, 0.75, 1], from: left, to: right) { Numbers.percent($0) }
        return parts + Picture.timeAxis(time, y: bottom, count: ticks)
    }

    private static func lens(
        from source: (Double, Double), to target: (Double, Double), top: Double, bottom: Double
    ) -> [Markup] {
        let points = [(source.0, top), (max(source.1, source.0 + 1.5), top), (target.1, bottom), (target.0, bottom)]
        return [
            .tag(
                "polygon",
                [
                    "class": "lens",
                    "points": points.map { "\(Picture.at($0.0)),\(Picture.at($0.1))" }.joined(separator: " "),
                ])
        ]
    }

    /// Times where two changes or more lie within a small part of the whole, with air around them; at most three.
    private static func crowdedParts(_ stretches: [Stretch], start: Double, stop: Double) -> [ClosedRange<Double>] {
        let span = stop - start
        var groups: [[Double]] = []
        for change in stretches.dropFirst().map(\.from) {
            if let last = groups.last?.last, change - last < span * 0.05 {
                groups[groups.count - 1].append(change)
            } else {
                groups.append([change])
            }
        }
        let crowded = groups.compactMap { group -> ClosedRange<Double>? in
            guard group.count > 1, let first = group.first, let last = group.last, last - first < span * 0.2 else {
                return nil
            }
            let air = max(1, (last - first) * 0.18)
            return max(start, first - air)...min(stop, last + air)
        }
        return Array(crowded.prefix(3))
    }

    /// In order of first appearance; within one point the larger share first.
    private static func armNames(_ points: [DemoReport.Traffic]) -> [String] {
        var names: [String] = []
        for point in points {
            let order = point.arms.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
            for arm in order where arm.value > 0 && !names.contains(arm.key) { names.append(arm.key) }
        }
        return names
    }
}
