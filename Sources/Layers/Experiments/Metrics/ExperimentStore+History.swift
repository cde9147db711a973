import Basics
import SQL

/// All points of one metric of one run that were asked for.
public struct RunHistory: Sendable {
    public var run: String
    public var points: [MetricPoint]
}

extension ExperimentStore {
    /// Points of one metric in the order of time, step and value; none where there is no such run or metric.
    /// - Parameters:
    ///   - limit: how many at most; nil for all.
    ///   - offset: how many to leave out at the beginning.
    public func history(
        of key: String, run: String, limit: Int? = nil, offset: Int = 0
    ) async throws -> [MetricPoint] {
        try await database.read { transaction in
            try Self.history(of: key, run: run, limit: limit, offset: offset, in: transaction)
        }
    }

    /// Points of one metric of several runs, run by run in the order of their ids.
    /// - Parameter limit: how many at most, over all runs.
    public func histories(of key: String, runs: [String], limit: Int) async throws -> [RunHistory] {
        try await database.read { transaction in
            var left = limit
            var histories: [RunHistory] = []
            for run in Set(runs).sorted() where left > 0 {
                let points = try Self.history(of: key, run: run, limit: left, offset: 0, in: transaction)
                left -= points.count
                histories.append(RunHistory(run: run, points: points))
            }
            return histories
        }
    }

    /// Points of one metric after one of them, in the order of a history: the next page for who reads it piece by piece
    /// while more points come.
    public func history(of key: String, run: String, after point: MetricPoint, limit: Int) async throws -> [MetricPoint]
    {
        try await database.read { transaction in
            guard let number = try Self.number(of: run, in: transaction) else { return [] }
            return try MetricHistory(of: key, run: number, in: transaction).points(limit: limit, after: point)
        }
    }

    /// At most `limit` points of one metric of each run, spread evenly over those in a range of steps, in the order of step,
    /// time and value: the first of as many equal parts, of which the earlier take what is left over, and the very last.
    public func sampledHistories(
        of key: String, runs: [String], steps: ClosedRange<Int64>?, limit: Int
    ) async throws -> [RunHistory] {
        try await database.read { transaction in
            try runs.map { run in
                guard let number = try Self.number(of: run, in: transaction) else {
                    return RunHistory(run: run, points: [])
                }
                var points = try MetricHistory(of: key, run: number, steps: steps, in: transaction).points()
                if let steps { points = points.filter { steps.contains($0.step) } }
                let isOrdered = zip(points, points.dropFirst()).allSatisfy { MetricPoint.plotsBefore($0, $1) }
                if !isOrdered { points.sort(by: MetricPoint.plotsBefore) }
                return RunHistory(run: run, points: Self.sample(points, limit))
            }
        }
    }

    private static func history(
        of key: String, run: String, limit: Int?, offset: Int, in transaction: Transaction
    ) throws -> [MetricPoint] {
        guard let number = try number(of: run, in: transaction) else { return [] }
        return try MetricHistory(of: key, run: number, in: transaction).points(limit: limit ?? .max, offset: offset)
    }

    private static func number(of run: String, in transaction: Transaction) throws -> Int64? {
        try transaction.first("SELECT number FROM runs WHERE id = ?", [.text(run)])?.integer("number")
    }

    /// The first item of each of `limit` equal parts, the earlier ones longer by one where it does not come out even; the
    /// last item takes the place of the last of them.
    static func sample<Item>(_ items: [Item], _ limit: Int) -> [Item] {
        guard items.count > limit, limit > 0, let last = items.last else { return items }
        let (length, longer) = items.count.quotientAndRemainder(dividingBy: limit)
        var sampled: [Item] = []
        var start = 0
        for part in 0..<limit {
            if items.indices.contains(start) { sampled.append(items[start]) }
            start += part < longer ? length + 1 : length
        }
        sampled.removeLast()
        sampled.append(last)
        return sampled
    }
}
