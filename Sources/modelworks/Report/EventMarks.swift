import Basics

/// Turns what happened into vertical marks: close neighbours of one kind become one mark, repeated alerts a count.
enum EventMarks {
    /// - Parameters:
    ///   - events: in any order; those outside `range` are left out.
    ///   - scale: a time scale.
    ///   - distance: page units below which neighbours of one kind are merged.
    static func marks(_ events: [DemoReport.Event], on scale: Scale, mergingWithin distance: Double) -> [Picture.Mark] {
        let visible = events.sorted { $0.time < $1.time }.filter {
            (scale.low...scale.high).contains($0.time.secondsSince1970)
        }
        var groups: [[DemoReport.Event]] = []
        for event in visible {
            let index = groups.lastIndex { $0.last?.kind == event.kind }
            if let index, let last = groups[index].last {
                // Alerts tend to be raised every week until something is done: the first one tells the story.
                if scale(event.time) - scale(last.time) <= distance * (event.kind == .alert ? 2.5 : 1) {
                    groups[index].append(event)
                    continue
                }
            }
            groups.append([event])
        }
        return groups.compactMap { group in
            guard let first = group.first else { return nil }
            let tooltip = group.map { "\(Numbers.minute($0.time)) UTC: \($0.label)" }.joined(separator: "\n")
            return Picture.Mark(
                x: scale(first.time), text: text(group), kind: kind(first.kind), tooltip: tooltip)
        }
    }

    /// The style class of a kind of event.
    static func kind(_ kind: DemoReport.Event.Kind) -> String {
        switch kind {
        case .alert: "alert"
        case .retrain: "retrain"
        case .rolloutStep: "rollout"
        case .rollback: "rollback"
        }
    }

    private static func text(_ group: [DemoReport.Event]) -> String {
        guard let first = group.first else { return "" }
        if group.count == 1 { return shortened(first.label) }
        if first.kind == .alert { return shortened(first.label) + " (+\(group.count - 1) more)" }
        let words = group.map { $0.label.split(separator: " ").map(String.init) }
        var common = 0
        while let word = words.first?.dropFirst(common).first,
            words.allSatisfy({ $0.count > common + 1 && $0[common] == word })
        {
            common += 1
        }
        let tails = words.map { $0.dropFirst(common).joined(separator: " ") }
        let shown = tails.count > 5 ? Array(tails.prefix(2)) + ["…"] + Array(tails.suffix(1)) : tails
        let head = (words.first ?? []).prefix(common).joined(separator: " ")
        return shortened((head.isEmpty ? "" : head + " ") + shown.joined(separator: " → "))
    }

    private static func shortened(_ text: String) -> String { TextWidth.truncated(text, to: 48) }
}
