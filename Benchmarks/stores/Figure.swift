import Foundation

/// One line of the table: what was measured, beside what it is held against in the same run.
struct Figure: Sendable {
    let what: String
    let ours: String
    let floor: String
    let share: String
    let limit: String
    /// Nil where no limit is set.
    let isMet: Bool?

    private init(
        _ what: String, ours: String, floor: String = "", share: String = "", limit: String = "", isMet: Bool? = nil
    ) {
        self.what = what
        self.ours = ours
        self.floor = floor
        self.share = share
        self.limit = limit
        self.isMet = isMet
    }

    /// A figure without a limit.
    static func plain(_ what: String, _ ours: String) -> Figure { Figure(what, ours: ours) }

    /// A share of a floor in percent, of rates.
    /// - Parameter limit: the least share; nil where none is set.
    static func share(_ what: String, _ ours: Double, of floor: Double, unit: String, limit: Double?) -> Figure {
        let share = floor > 0 ? ours / floor : 0
        return Figure(
            what, ours: "\(number(ours)) \(unit)", floor: "\(number(floor)) \(unit)",
            share: "\(Int((share * 100).rounded())) %", limit: limit.map { "at least \(Int($0 * 100)) %" } ?? "",
            isMet: limit.map { share >= $0 })
    }

    /// How many times a rate is another.
    static func ratio(_ what: String, _ ours: Double, to floor: Double, unit: String, limit: Double) -> Figure {
        let ratio = floor > 0 ? ours / floor : 0
        return Figure(
            what, ours: "\(number(ours)) \(unit)", floor: "\(number(floor)) \(unit)",
            share: String(format: "%.1f x", ratio), limit: "at least \(Int(limit)) x", isMet: ratio >= limit)
    }

    /// A time that may be no longer than a limit.
    static func time(_ what: String, _ seconds: Double, limit: Double) -> Figure {
        Figure(
            what, ours: String(format: "%.2f s", seconds), limit: String(format: "at most %.0f s", limit),
            isMet: seconds <= limit)
    }

    /// Three digits at least, thousands in groups.
    static func number(_ value: Double) -> String {
        guard value < 1e6 else { return String(format: "%.2f M", value / 1e6) }
        guard value >= 1000 else { return String(format: value < 100 ? "%.1f" : "%.0f", value) }
        return String(format: "%.1f k", value / 1000)
    }

    static func print(_ figures: [Figure]) {
        let head = ["what", "ours", "floor", "share", "limit", ""]
        let rows = figures.map { figure in
            [
                figure.what, figure.ours, figure.floor, figure.share, figure.limit,
                figure.isMet.map { $0 ? "met" : "MISSED" } ?? "",
            ]
        }
        let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
        for row in [head] + rows {
            let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
            Swift.print(cells.joined(separator: "  ").trimmingCharacters(in: .whitespaces))
        }
    }
}

/// The middle one of an odd number of values.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}
