import Basics

@testable import Aggregations

/// Windows worked out from all events for every moment anew, from the definition of a window and with whole numbers: the
/// fractions of its events are whole multiples of 1/1024, so that sums of them and of their squares are exact.
struct WindowOracle {
    static let unit = 1024.0

    let plan: WindowPlan
    /// In order of arrival.
    let events: [WindowEvent]

    init(plan: WindowPlan, events: [WindowEvent]) {
        self.plan = plan
        self.events = events.filter { event in
            plan.lateness.map { event.availableTime - event.eventTime <= $0 } ?? true
        }
    }

    private static func up(_ time: Int64, _ width: Int64?) -> Int64 {
        guard let width else { return time }
        let rest = time % width
        return rest > 0 ? time + width - rest : time - rest
    }

    func published(_ event: WindowEvent) -> Int64 { WindowOracle.up(event.availableTime, plan.every) }

    func exit(_ event: WindowEvent, _ window: Int64) -> Int64 {
        WindowOracle.up(WindowOracle.up(event.eventTime, plan.tile) + window, plan.every)
    }

    /// The moments at which events count.
    var publishTimes: Set<Int64> { Set(events.map { published($0) }) }

    /// Those and the exits of events from windows.
    var changes: [Int64] {
        var times = publishTimes
        for event in events {
            for feature in plan.features {
                let exit = exit(event, feature.window)
                if exit > published(event) { times.insert(exit) }
            }
        }
        return times.sorted()
    }

    func values(at time: Int64) -> [AggregateValue] { plan.features.map { value($0, at: time) } }

    private func value(_ feature: WindowFeature, at time: Int64) -> AggregateValue {
        let held = events.filter { published($0) <= time && time < exit($0, feature.window) }
        guard let column = plan.columns.firstIndex(where: { $0.name == feature.column }) else {
            return .scalar(.integer(Int64(held.count)))
        }
        let type = plan.columns[column].type
        let present = held.filter { !WindowOracle.isNull($0.values[column]) }
        let values = present.map { $0.values[column] }
        let numbers = values.compactMap(WindowOracle.number)
        // Multiples of 1/1024, exactly.
        let parts = numbers.map { Int128($0 * WindowOracle.unit) }
        let count = Int128(values.count)
        switch feature.function {
        case .count: return .scalar(.integer(Int64(values.count)))
        case .sum:
            guard count > 0 else { return .null }
            let sum = parts.reduce(0, +)
            return type == .double
                ? .scalar(.double(Double(sum) / WindowOracle.unit)) : .scalar(.integer(Int64(sum / 1024)))
        case .mean:
            guard count > 0 else { return .null }
            return .scalar(.double(Double(parts.reduce(0, +)) / (WindowOracle.unit * Double(count))))
        case .std:
            guard count > 1 else { return .null }
            let sum = parts.reduce(0, +)
            let spread = count * parts.reduce(0) { $0 + $1 * $1 } - sum * sum
            return .scalar(.double((Double(spread) / Double(count * (count - 1))).squareRoot() / WindowOracle.unit))
        case .min: return .scalar(values.min(by: WindowOracle.precedes) ?? .null)
        case .max: return .scalar(values.max(by: WindowOracle.precedes) ?? .null)
        case .distinctCount: return .scalar(.integer(Int64(Set(values).count)))
        case .last: return .scalar(newest(present).first?.values[column] ?? .null)
        case .lastN(let length): return .list(newest(present).prefix(length).map { $0.values[column] })
        case .percentile(let share):
            let sorted = numbers.sorted()
            guard let last = sorted.last else { return .null }
            let position = share * Double(sorted.count - 1)
            let below = Int(position)
            let above = below + 1 < sorted.count ? sorted[below + 1] : last
            return .scalar(.double(sorted[below] + (position - Double(below)) * (above - sorted[below])))
        }
    }

    private func newest(_ events: [WindowEvent]) -> [WindowEvent] {
        events.sorted {
            ($0.eventTime, $0.availableTime, $0.sequence) > ($1.eventTime, $1.availableTime, $1.sequence)
        }
    }

    private static func isNull(_ value: ScalarValue) -> Bool {
        if case .double(let number) = value { return number.isNaN }
        return value == .null
    }

    private static func number(_ value: ScalarValue) -> Double? {
        switch value {
        case .double(let number): number
        case .integer(let whole): Double(whole)
        case .boolean(let isTrue): isTrue ? 1 : 0
        default: nil
        }
    }

    private static func precedes(_ left: ScalarValue, _ right: ScalarValue) -> Bool {
        switch (left, right) {
        case (.string(let left), .string(let right)): Array(left.utf8).lexicographicallyPrecedes(Array(right.utf8))
        case (.timestamp(let left), .timestamp(let right)): left < right
        default: (number(left) ?? 0) < (number(right) ?? 0)
        }
    }

    /// Whether values are equal, fractions to 1e-12 of their size.
    static func agree(_ left: [AggregateValue], _ right: [AggregateValue]) -> Bool {
        left.count == right.count
            && zip(left, right).allSatisfy { left, right in
                if case .scalar(.double(let left)) = left, case .scalar(.double(let right)) = right {
                    return left == right || abs(left - right) <= 1e-12 * max(abs(left), abs(right))
                }
                return left == right
            }
    }
}
