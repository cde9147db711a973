import Basics

/// All points of one metric, column by column and in order: the form in which metrics move between stores.
public struct MetricSeries: Sendable, Codable, Equatable {
    public var key: String
    /// Microseconds since 1970.
    public var times: [Int64]
    public var steps: [Int64]
    /// Nil for what is not a number.
    public var values: [Double?]

    /// Points in the order of time, step and value, each once, with values as they are kept (see ``MetricPoint``).
    public init(_ key: String, _ points: [MetricPoint]) {
        func rank(_ point: MetricPoint) -> (Int64, Int64, Double, Int) {
            // Of the two zeros one is kept.
            (point.time.microseconds, point.step, point.stored + 0, point.value.isNaN ? 1 : 0)
        }
        self.key = key
        (times, steps, values) = ([], [], [])
        var last: (Int64, Int64, Double, Int)?
        for point in points.map(rank).sorted(by: <) where last.map({ $0 != point }) ?? true {
            times.append(point.0)
            steps.append(point.1)
            values.append(point.3 == 1 ? nil : point.2)
            last = point
        }
    }

    /// How many points there are.
    public var count: Int { min(times.count, steps.count, values.count) }

    /// The points themselves.
    public var points: [MetricPoint] {
        zip(zip(times, steps), values).map { place, value in
            MetricPoint(key: key, value: value ?? .nan, step: place.1, time: Timestamp(microseconds: place.0))
        }
    }

    /// Some of the points.
    func part(_ range: Range<Int>) -> MetricSeries {
        var part = self
        part.times = Array(times[range])
        part.steps = Array(steps[range])
        part.values = Array(values[range])
        return part
    }
}
