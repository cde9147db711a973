import Basics
import Foundation

/// A map from values to a stretch of the page, with places for ticks.
struct Scale: Sendable {
    /// The values at the two ends; `low` is always less than `high`.
    let low: Double
    let high: Double
    /// Page units at `low` and at `high`.
    let start: Double
    let end: Double
    private let isLogarithmic: Bool

    /// A linear scale; an empty or broken range is widened to one that can be drawn.
    init(_ low: Double, _ high: Double, from start: Double, to end: Double) {
        let sound = low.isFinite && high.isFinite
        self.low = sound ? low : 0
        self.high = sound ? (high > low ? high : low + max(1e-9, low.magnitude * 1e-6)) : 1
        (self.start, self.end, isLogarithmic) = (start, end, false)
    }

    /// A base-10 logarithmic scale; bounds are kept above 1e-9.
    init(logarithmic low: Double, _ high: Double, from start: Double, to end: Double) {
        let bottom = low.isFinite ? max(1e-9, low) : 1e-9
        self.low = bottom
        self.high = high.isFinite && high > bottom ? high : bottom * 10
        (self.start, self.end, isLogarithmic) = (start, end, true)
    }

    /// Where `value` lies, kept within the stretch.
    func callAsFunction(_ value: Double) -> Double {
        guard value.isFinite else { return start }
        let share =
            isLogarithmic
            ? (log10(max(value, 1e-9)) - log10(low)) / (log10(high) - log10(low)) : (value - low) / (high - low)
        return start + max(0, min(1, share)) * (end - start)
    }

    /// Where a moment lies on a scale made of seconds since 1970.
    func callAsFunction(_ moment: Timestamp) -> Double { self(moment.secondsSince1970) }

    /// Round values inside the range, about `count` of them: steps of 1, 2 or 5 times a power of ten.
    func ticks(_ count: Int) -> [Double] {
        if isLogarithmic {
            let first = Int(log10(low).rounded(.down))
            let last = Int(log10(high).rounded(.up))
            let decades = stride(from: first, through: last, by: 1).map { pow(10, Double($0)) }
            let steps: [Double] = last - first <= 4 ? [1, 2, 5] : [1]
            return decades.flatMap { decade in steps.map { $0 * decade } }
                .filter { $0 >= low * 0.999_999 && $0 <= high * 1.000_001 }
        }
        let raw = (high - low) / Double(max(1, count))
        let power = pow(10, log10(raw).rounded(.down))
        let step = ([1, 2, 5, 10].first { $0 * power >= raw * 0.999_999 } ?? 10) * power
        guard step.isFinite, step > 0 else { return [] }
        let first = (low / step - 1e-9).rounded(.up) * step
        return (0...max(1, 2 * count)).map { first + Double($0) * step }.filter { $0 <= high + step * 1e-6 }
    }

    /// Moments for the ticks of a time scale, with their texts: months, days or hours, whichever fit `count` times.
    func timeTicks(_ count: Int) -> [(moment: Timestamp, text: String)] {
        let span = high - low
        let day = 86_400.0
        if span > Double(count) * 15 * day { return monthTicks(count) }
        let choices: [Double] = [
            1, 5, 15, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, day, 2 * day, 7 * day, 14 * day,
        ]
        let step = choices.first { span / $0 <= Double(count) } ?? 28 * day
        let first = (low / step).rounded(.up) * step
        return stride(from: first, through: high, by: step).map { seconds in
            let moment = Timestamp(drawnSeconds: seconds)
            let clock = moment.description.dropFirst(11).prefix(step < 60 ? 8 : 5)
            let text = step >= day ? Numbers.day(moment, year: false) : "\(clock)"
            return (moment, text)
        }
    }

    private func monthTicks(_ count: Int) -> [(moment: Timestamp, text: String)] {
        let edges = [low, high].map { Timestamp(drawnSeconds: max(-6e10, min(2.5e11, $0))).day }
        let parts = edges.map { $0.split(separator: "-").compactMap { Int($0) } }
        guard let from = parts.first, let until = parts.last, from.count == 3, until.count == 3 else { return [] }
        let (first, last) = (from[0] * 12 + from[1] - 1, until[0] * 12 + until[1] - 1)
        let every = max(1, (last - first + count) / max(1, count))
        return stride(from: first, through: last, by: every).compactMap { index in
            let (year, month) = (index / 12, index % 12 + 1)
            let text = String(format: "%04d-%02d-01", year, month)
            guard let moment = Timestamp(text), moment.secondsSince1970 >= low else { return nil }
            return (moment, Numbers.monthName(month) + (month == 1 ? " \(year)" : ""))
        }
    }
}

extension Timestamp {
    /// The moment nearest to a number of seconds since 1970 that comes from a drawing; the ends where it is out of range.
    init(drawnSeconds seconds: Double) {
        self =
            Int64(exactly: (seconds * 1e6).rounded()).map { Timestamp(microseconds: $0) }
            ?? (seconds < 0 ? .distantPast : .distantFuture)
    }

    /// Seconds since 1970, for drawing only.
    var secondsSince1970: Double { Double(microseconds) / 1e6 }
}
