import Basics
import SQL

/// What a line of a metric looks like, with far fewer points than it has.
public struct MetricPlot: Sendable, Equatable, Codable {
    /// How many points it was made from.
    public var count: Int
    /// In the order of step, time and value: the first and the last point, and the lowest and the highest of each part.
    public var points: [MetricPoint]
}

extension ExperimentStore {
    /// Cuts the points of a metric into parts and keeps the lowest and the highest of each, so that no peak is lost.
    ///
    /// The parts follow each other in time and have about equal lengths; those of long histories are made of whole blocks,
    /// whose extremes are known without reading them. What is not a number has no place in a plot.
    /// - Parameters:
    ///   - steps: which steps are looked at; nil for all.
    ///   - parts: how many parts at most.
    /// - Throws: ``ExperimentsFailure/unknownRun(_:)``.
    public func plot(
        of key: String, run: String, steps: ClosedRange<Int64>? = nil, parts: Int
    ) async throws -> MetricPlot {
        try await database.read { transaction in
            let number = try Self.place(of: run, in: transaction).number
            let history = try MetricHistory(of: key, run: number, steps: steps, in: transaction)
            return try Self.plot(history, steps: steps, parts: max(1, parts))
        }
    }

    private static func plot(_ history: MetricHistory, steps: ClosedRange<Int64>?, parts: Int) throws -> MetricPlot {
        let segments = history.segments
        var units: [MetricSegment]
        if segments.count > parts {
            units = try segments.compactMap { segment in
                guard let steps, !(steps.contains(segment.steps.lowerBound) && steps.contains(segment.steps.upperBound))
                else { return segment }
                return MetricSegment(try history.points(of: segment).filter { steps.contains($0.step) })
            }
        } else {
            var points = try history.points()
            if let steps { points = points.filter { steps.contains($0.step) } }
            let length = max(1, (points.count + parts - 1) / parts)
            units = stride(from: 0, to: points.count, by: length).compactMap {
                MetricSegment(Array(points[$0..<min($0 + length, points.count)]))
            }
        }
        let count = units.reduce(0) { $0 + $1.count }
        units = joined(units, into: parts)
        var points = units.flatMap { [$0.lowest, $0.highest].compactMap { $0 } }
        points += [units.first?.first, units.last?.last].compactMap { $0 }.filter { !$0.value.isNaN }
        points.sort(by: MetricPoint.plotsBefore)
        var distinct: [MetricPoint] = []
        for point in points where !(distinct.last?.isSame(as: point) ?? false) { distinct.append(point) }
        return MetricPlot(count: count, points: distinct)
    }

    /// Neighbours together, so that there are at most so many.
    private static func joined(_ units: [MetricSegment], into parts: Int) -> [MetricSegment] {
        guard units.count > parts else { return units }
        let width = (units.count + parts - 1) / parts
        return stride(from: 0, to: units.count, by: width).compactMap { start in
            units[start..<min(start + width, units.count)].dropFirst().reduce(units[start]) { $0.joined(with: $1) }
        }
    }
}

extension MetricSegment {
    /// One that stands for both.
    func joined(with next: MetricSegment) -> MetricSegment {
        let low = [lowest, next.lowest].compactMap { $0 }.min { $0.value < $1.value }
        let high = [highest, next.highest].compactMap { $0 }.min { $0.value > $1.value }
        return MetricSegment(
            count: count + next.count, first: first, last: next.last,
            steps: min(steps.lowerBound, next.steps.lowerBound)...max(steps.upperBound, next.steps.upperBound),
            lowest: low, highest: high)
    }

    private init(
        count: Int, first: MetricPoint, last: MetricPoint, steps: ClosedRange<Int64>, lowest: MetricPoint?,
        highest: MetricPoint?
    ) {
        number = nil
        self.count = count
        self.first = first
        self.last = last
        self.steps = steps
        self.lowest = lowest
        self.highest = highest
    }
}
