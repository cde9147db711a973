import Basics
import SQL

/// A stretch of a history as its row tells it, without its points: how many there are, where it begins and ends, and its
/// extremes.
struct MetricSegment {
    /// Its number among the blocks of the metric; nil for points that are not packed yet.
    let number: Int64?
    let count: Int
    let first: MetricPoint
    let last: MetricPoint
    let steps: ClosedRange<Int64>
    /// The least and the greatest of what is a number.
    let lowest: MetricPoint?
    let highest: MetricPoint?

    /// - Parameter points: in the order of a history, at least one.
    init?(_ points: [MetricPoint], number: Int64? = nil) {
        guard let first = points.first, let last = points.last else { return nil }
        self.number = number
        self.first = first
        self.last = last
        count = points.count
        var low: MetricPoint?
        var high: MetricPoint?
        var least = first.step
        var greatest = first.step
        for point in points {
            least = min(least, point.step)
            greatest = max(greatest, point.step)
            guard !point.value.isNaN else { continue }
            if low.map({ point.value < $0.value }) ?? true { low = point }
            if high.map({ point.value > $0.value }) ?? true { high = point }
        }
        steps = least...greatest
        lowest = low
        highest = high
    }

    init(_ row: Row, key: String) throws {
        func point(_ name: String) throws -> MetricPoint? {
            guard let time = try row.optionalInteger("\(name)_time") else { return nil }
            return MetricPoint(
                key: key, value: try row.optionalDouble("\(name)_value") ?? .nan,
                step: try row.integer("\(name)_step"), time: Timestamp(microseconds: time))
        }
        guard let first = try point("first"), let last = try point("last"), try row.integer("points") > 0,
            try row.integer("least_step") <= row.integer("greatest_step")
        else { throw ExperimentsFailure.damagedHistory(key) }
        number = try row.integer("number")
        count = try row.int("points")
        self.first = first
        self.last = last
        steps = try row.integer("least_step")...row.integer("greatest_step")
        lowest = try point("low")
        highest = try point("high")
    }

    static let columns = """
        number, points, least_step, greatest_step, first_time, first_step, first_value, last_time, last_step, last_value, \
        low_time, low_step, low_value, high_time, high_step, high_value
        """

    /// The values of ``columns``.
    func values(number: Int64) -> [SQLValue] {
        func three(_ point: MetricPoint?) -> [SQLValue] {
            [
                .init(point?.time), .init(point?.step), .init(point.flatMap { $0.value.isNaN ? nil : $0.value }),
            ]
        }
        return [.integer(number), .init(count), .integer(steps.lowerBound), .integer(steps.upperBound)]
            + three(first) + three(last) + three(lowest) + three(highest)
    }
}
