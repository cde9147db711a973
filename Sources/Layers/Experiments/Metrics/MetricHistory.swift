import Basics
import SQL

/// The history of one metric of one run: its packed blocks and the points that are not packed yet, read as one.
///
/// Clients log forward in time, so that blocks follow each other. Where some overlap, because points came late or twice,
/// those are read together and merged.
struct MetricHistory {
    let run: Int64
    let key: String
    private let transaction: Transaction
    /// By their beginning.
    let segments: [MetricSegment]
    private let loose: [MetricPoint]

    /// - Parameters:
    ///   - run: its number.
    ///   - steps: which points are wanted; blocks without any of them are left out.
    init(of key: String, run: Int64, steps: ClosedRange<Int64>? = nil, in transaction: Transaction) throws {
        self.run = run
        self.key = key
        self.transaction = transaction
        var segments = try transaction.query(
            """
            SELECT \(MetricSegment.columns) FROM metric_blocks
            WHERE run = ? AND key = ? AND greatest_step >= ? AND least_step <= ? ORDER BY number
            """,
            [
                .integer(run), .text(key), .integer(steps?.lowerBound ?? .min), .integer(steps?.upperBound ?? .max),
            ]
        ).map { try MetricSegment($0, key: key) }
        loose = try Self.loose(of: key, run: run, limit: nil, in: transaction)
        if let tail = MetricSegment(loose) { segments.append(tail) }
        segments.sort { MetricPoint.comesBefore($0.first, $1.first) }
        self.segments = segments
    }

    /// Points that are not packed yet, in the order of a history.
    static func loose(of key: String, run: Int64, limit: Int?, in transaction: Transaction) throws -> [MetricPoint] {
        var points: [MetricPoint] = []
        try transaction.forEach(
            """
            SELECT value, is_nan, step, time FROM metric_points WHERE run = ? AND key = ?
            ORDER BY time, step, value, is_nan LIMIT ?
            """, [.integer(run), .text(key), .integer(Int64(limit ?? .max))]
        ) { row in
            // By position: there may be a thousand of these.
            guard row.values.count == 4, case .integer(let isNaN) = row.values[1],
                case .integer(let step) = row.values[2], case .integer(let time) = row.values[3]
            else { return }
            points.append(
                MetricPoint(
                    key: key, value: isNaN == 1 ? .nan : try row.double("value"), step: step,
                    time: Timestamp(microseconds: time)))
        }
        return points
    }

    /// Points in order.
    /// - Parameters:
    ///   - offset: how many to leave out at the beginning.
    ///   - start: all up to this one are left out too.
    func points(limit: Int = .max, offset: Int = 0, after start: MetricPoint? = nil) throws -> [MetricPoint] {
        var found: [MetricPoint] = []
        var skip = offset
        for cluster in clusters where found.count < limit {
            if let start, let end = cluster.max(by: { MetricPoint.comesBefore($0.last, $1.last) })?.last,
                !MetricPoint.comesBefore(start, end)
            {
                continue
            }
            if start == nil, cluster.count == 1, let only = cluster.first, only.count <= skip {
                skip -= only.count
                continue
            }
            var points = try self.points(of: cluster)
            if let start { points = points.filter { MetricPoint.comesBefore(start, $0) } }
            found += points.dropFirst(skip).prefix(limit - found.count)
            skip = max(0, skip - points.count)
        }
        return found
    }

    /// The points of one segment.
    func points(of segment: MetricSegment) throws -> [MetricPoint] {
        guard let number = segment.number else { return loose }
        let row = try transaction.first(
            "SELECT data FROM metric_blocks WHERE run = ? AND key = ? AND number = ?",
            [.integer(run), .text(key), .integer(number)])
        guard let row else { throw ExperimentsFailure.damagedHistory(key) }
        return try MetricBlock(row.bytes("data"), count: segment.count, key: key).points
    }

    /// The points of segments that overlap, each once.
    private func points(of cluster: [MetricSegment]) throws -> [MetricPoint] {
        if cluster.count == 1, let only = cluster.first { return try points(of: only) }
        return MetricPoint.history(of: try cluster.flatMap { try points(of: $0) })
    }

    /// Segments that overlap, together; the clusters follow each other.
    private var clusters: [[MetricSegment]] {
        var clusters: [[MetricSegment]] = []
        var end: MetricPoint?
        for segment in segments {
            if let last = end, !MetricPoint.comesBefore(last, segment.first) {
                clusters[clusters.count - 1].append(segment)
                if MetricPoint.comesBefore(last, segment.last) { end = segment.last }
            } else {
                clusters.append([segment])
                end = segment.last
            }
        }
        return clusters
    }
}
