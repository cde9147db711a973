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

    /// - Parameter row: of ``columns``.
    init(_ row: Row, key: String) throws {
        // By position: a long history has a thousand of these.
        let values = row.values
        func integer(_ place: Int) throws -> Int64 {
            guard values.indices.contains(place), case .integer(let number) = values[place] else {
                throw ExperimentsFailure.damagedHistory(key)
            }
            return number
        }
        func point(_ place: Int) throws -> MetricPoint? {
            guard values.indices.contains(place + 2), values[place] != .null else { return nil }
            let value: Double =
                switch values[place + 2] {
                case .double(let number): number
                case .integer(let number): Double(number)
                default: .nan
                }
            return MetricPoint(
                key: key, value: value, step: try integer(place + 1),
                time: Timestamp(microseconds: try integer(place)))
        }
        let (least, greatest) = (try integer(2), try integer(3))
        number = try integer(0)
        guard let first = try point(4), let last = try point(7), let count = Int(exactly: try integer(1)), count > 0,
            least <= greatest
        else { throw ExperimentsFailure.damagedHistory(key) }
        self.count = count
        self.first = first
        self.last = last
        steps = least...greatest
        lowest = try point(10)
        highest = try point(13)
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
