import Basics

/// How the durations of stages are spread: a line of bars for each, on one logarithmic axis of time.
enum StagePlot {
    /// - Parameter stages: of a latency report; those that saw nothing have no line.
    /// - Returns: lines that each end in a newline; nothing where no stage saw anything.
    static func text(_ stages: [JSONValue]) -> String {
        let lines = stages.compactMap { stage -> (name: String, counts: [Double: Double])? in
            let parts = (stage["distribution"]?.array ?? []).compactMap { part in
                part["upTo"]?.double.flatMap { bound in part["count"]?.double.map { (bound, $0) } }
            }
            let name = stage["stage"]?.cell ?? ""
            return parts.isEmpty ? nil : (name, Dictionary(parts) { first, _ in first })
        }
        let bounds = Set(lines.flatMap(\.counts.keys)).sorted()
        guard let first = bounds.first, let last = bounds.last else { return "" }
        let width = lines.map { TextWidth.columns($0.name) }.max() ?? 0
        func padded(_ name: String) -> String { name + String(repeating: " ", count: width - TextWidth.columns(name)) }
        let bars = lines.map { name, counts in
            let values = bounds.map { counts[$0].flatMap { $0 > 0 ? $0 : nil } }
            let most = values.compactMap { $0 }.max() ?? 1
            return "\(padded(name))  \(Sparkline.render(values, in: 0...most))\n"
        }
        let (low, high) = (Numbers.milliseconds(first), Numbers.milliseconds(last))
        let room = bounds.count - TextWidth.columns(low) - TextWidth.columns(high)
        let axis = "\(padded(""))  \(low)\(String(repeating: " ", count: max(1, room)))\(high)\n"
        return "\n" + bars.joined() + axis
    }
}
