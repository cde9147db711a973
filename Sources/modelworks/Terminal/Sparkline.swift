/// A series drawn in one line of text with the eight block heights of Unicode.
enum Sparkline {
    /// One character for each value; a dot for nil and values that are no numbers.
    ///
    /// - Parameter range: values at the lowest and the highest block; the series' own extremes where nil.
    static func render(_ values: [Double?], in range: ClosedRange<Double>? = nil) -> String {
        let blocks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        let known = values.compactMap { $0 }.filter(\.isFinite)
        guard let least = known.min(), let most = known.max() else {
            return String(repeating: "·", count: values.count)
        }
        let (low, high) = (range?.lowerBound ?? least, range?.upperBound ?? most)
        return values.map { value in
            guard let value, value.isFinite else { return "·" }
            guard high > low else { return blocks[3] }
            let share = max(0, min(1, (value - low) / (high - low)))
            return share.isFinite ? blocks[Int((share * 7).rounded())] : "·"
        }.joined()
    }
}
