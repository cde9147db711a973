/// Finds a place for the texts beside vertical marks, so that no text covers another and few lines cross a text.
struct LabelLayout: Sendable {
    /// A placed text. Lane 0 is the one nearest to the plot.
    struct Placement: Sendable, Equatable {
        let x: Double
        let width: Double
        let lane: Int
        /// The text ends at the mark instead of starting there, for want of room to the right.
        let endsAtMark: Bool

        /// The stretch the text covers, with a little air.
        var box: ClosedRange<Double> {
            endsAtMark ? (x - width - 8)...(x - 1) : (x + 1)...(x + width + 8)
        }
    }

    /// Page units from left to right that texts may use.
    let bounds: ClosedRange<Double>

    /// Places marks at `x` with texts of `width`; the answers are in the order of `marks`.
    func place(_ marks: [(x: Double, width: Double)]) -> [Placement] {
        var placed: [Int: Placement] = [:]
        let flips = marks.map { $0.x + $0.width + 8 > bounds.upperBound && $0.x - $0.width - 8 >= bounds.lowerBound }
        // A text may stand above the ones its stretch reaches into without being cut by their lines. Going inwards from
        // the far ends, each text meets those it reaches into already placed.
        let rightwards = marks.indices.filter { !flips[$0] }.sorted { marks[$0].x > marks[$1].x }
        let leftwards = marks.indices.filter { flips[$0] }.sorted { marks[$0].x < marks[$1].x }
        for index in leftwards + rightwards {
            let candidates = (0...marks.count).map { lane in
                Placement(x: marks[index].x, width: marks[index].width, lane: lane, endsAtMark: flips[index])
            }
            placed[index] = candidates.min { cost($0, placed.values) < cost($1, placed.values) }
        }
        return marks.indices.compactMap { placed[$0] }
    }

    private func cost(_ candidate: Placement, _ others: some Collection<Placement>) -> Int {
        others.reduce(candidate.lane) { sum, other in
            if other.lane == candidate.lane { return sum + (other.box.overlaps(candidate.box) ? 10_000 : 0) }
            let (upper, lower) = other.lane > candidate.lane ? (other, candidate) : (candidate, other)
            return sum + (lower.box.contains(upper.x) ? 100 : 0)
        }
    }
}
