import Basics

/// The parts that all pictures share: the frame, axes, marks with texts, legends and the note of an empty picture.
enum Picture {
    /// Width of every picture in its own units; the page scales it to the column.
    static let width = 960.0

    /// A coordinate with one decimal, always a plain number.
    static func at(_ value: Double) -> String { Numbers.fixed(value.isFinite ? max(-1e6, min(1e6, value)) : 0, 1) }

    /// An estimate of the width of `text` at `size` in the page's font, generous by some percent.
    static func textWidth(_ text: String, size: Double = 11) -> Double {
        Double(TextWidth.columns(text)) * size * 0.58
    }

    /// The outer element of a picture, named for people who can not see it.
    static func frame(height: Double, name: String, _ content: [Markup]) -> Markup {
        .tag(
            "svg",
            [
                "xmlns": "http://www.w3.org/2000/svg", "viewBox": "0 0 \(at(width)) \(at(height))", "role": "img",
                "aria-label": name,
            ], content)
    }

    /// A straight line.
    static func line(_ kind: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> Markup {
        .tag("line", ["class": kind, "x1": at(x1), "y1": at(y1), "x2": at(x2), "y2": at(y2)])
    }

    /// A text; `anchor` is start, middle or end.
    static func text(_ kind: String, _ x: Double, _ y: Double, _ content: String, anchor: String = "start") -> Markup {
        .tag("text", ["class": kind, "x": at(x), "y": at(y), "text-anchor": anchor], content)
    }

    /// A rectangle that tells `tooltip` when pointed at.
    static func rectangle(
        _ kind: String, x: Double, y: Double, width: Double, height: Double, tooltip: String? = nil
    ) -> Markup {
        .tag(
            "rect",
            ["class": kind, "x": at(x), "y": at(y), "width": at(max(0, width)), "height": at(max(0, height))],
            tooltip.map { [.tag("title", [:], $0)] } ?? [])
    }

    /// Horizontal grid lines with their figures to the left.
    static func valueAxis(
        _ scale: Scale, ticks: [Double], from left: Double, to right: Double, text: (Double) -> String
    ) -> [Markup] {
        ticks.flatMap { tick in
            [
                line("grid", left, scale(tick), right, scale(tick)),
                self.text("tick", left - 8, scale(tick) + 4, text(tick), anchor: "end"),
            ]
        }
    }

    /// The dates below a picture, leaving out those that would touch their neighbour or the edge.
    static func timeAxis(_ scale: Scale, y: Double, count: Int = 9) -> [Markup] {
        var result = [line("axis", scale.start, y, scale.end, y)]
        var free = scale.start - 20
        for tick in scale.timeTicks(count) {
            let x = scale(tick.moment)
            let half = textWidth(tick.text) / 2
            guard x - half >= free, x + half <= scale.end + 16 else { continue }
            free = x + half + 8
            result.append(line("axis", x, y, x, y + 4))
            result.append(self.text("tick", x, y + 17, tick.text, anchor: "middle"))
        }
        return result
    }

    /// A vertical mark with a text above the plot.
    struct Mark: Sendable {
        let x: Double
        let text: String
        /// The style class, such as `retrain`.
        let kind: String
        let tooltip: String
    }

    /// Height that the texts of `marks` need above a plot between `left` and `right`.
    static func markHeight(_ marks: [Mark], from left: Double, to right: Double) -> Double {
        Double((placements(marks, left, right).map(\.lane).max() ?? -1) + 1) * 16
    }

    /// Lines from the texts above `top` down to `bottom`.
    static func draw(_ marks: [Mark], from left: Double, to right: Double, top: Double, bottom: Double) -> [Markup] {
        let placed = zip(marks, placements(marks, left, right)).map { ($0, $1) }
        let lines = placed.map { mark, place in
            line("mark \(mark.kind)", mark.x, top - Double(place.lane) * 16 - 14, mark.x, bottom)
        }
        let texts = placed.map { mark, place in
            Markup.tag(
                "text",
                [
                    "class": "label \(mark.kind)", "x": at(mark.x + (place.endsAtMark ? -5 : 5)),
                    "y": at(top - Double(place.lane) * 16 - 5), "text-anchor": place.endsAtMark ? "end" : "start",
                ], [.text(mark.text), .tag("title", [:], mark.tooltip)])
        }
        return lines + texts
    }

    private static func placements(_ marks: [Mark], _ left: Double, _ right: Double) -> [LabelLayout.Placement] {
        LabelLayout(bounds: left...max(left, right)).place(marks.map { ($0.x, textWidth($0.text)) })
    }

    /// A row of colour swatches with their names.
    static func legend(_ entries: [(kind: String, text: String)]) -> Markup {
        .tag(
            "div", ["class": "legend"],
            entries.map { entry in
                .tag("span", ["class": "entry"], [.tag("i", ["class": "swatch \(entry.kind)"]), .text(entry.text)])
            })
    }

    /// What stands where there is nothing to draw.
    static func nothing(_ reason: String) -> Markup { .tag("p", ["class": "empty"], reason) }
}
