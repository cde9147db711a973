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

    /// At most `limit` points of one metric of each run, spread evenly over those in a range of steps, in the order of step,
    /// time and value: the first of as many equal parts, of which the earlier take what is left over, and the very last.
    public func sampledHistories(
        of key: String, runs: [String], steps: ClosedRange<Int64>?, limit: Int
    ) async throws -> [RunHistory] {
        try await database.read { transaction in
            try runs.map { run in
                let all = try transaction.query(
                    """
                    SELECT p.key, p.value, p.is_nan, p.step, p.time FROM metric_points AS p
                    JOIN runs AS r ON r.number = p.run
                    WHERE r.id = ? AND p.key = ? AND p.step >= ? AND p.step <= ?
                    ORDER BY p.step, p.time, p.value, p.is_nan
                    """,
                    [
                        .text(run), .text(key), .integer(steps?.lowerBound ?? .min),
                        .integer(steps?.upperBound ?? .max),
                    ])
                return RunHistory(run: run, points: try Self.sample(all, limit).map(Self.point))
            }
        }
    }

    private static func history(
        of key: String, run: String, limit: Int?, offset: Int, in transaction: Transaction
    ) throws -> [MetricPoint] {
        let row = try transaction.first("SELECT number FROM runs WHERE id = ?", [.text(run)])
        guard let row else { return [] }
        return try transaction.query(
            """
            SELECT key, value, is_nan, step, time FROM metric_points WHERE run = ? AND key = ?
            ORDER BY time, step, value LIMIT ? OFFSET ?
            """,
            [
                .integer(try row.integer("number")), .text(key), .integer(Int64(limit ?? .max)),
                .integer(Int64(offset)),
            ]
        ).map(point)
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
