import Basics
import SQL

extension ExperimentStore {
    /// Inserts the points of a change: many of one metric as a block, others one by one until there are enough of them.
    static func insert(_ points: [MetricPoint], to place: RunPlace, in transaction: Transaction) throws {
        var single: [MetricPoint] = []
        var latest: [(point: MetricPoint, loose: Int)] = []
        // In order, so that changes of several servers wait for each other's rows in the same order.
        var rest = points.sorted { $0.key < $1.key }[...]
        while let key = rest.first?.key {
            let points = rest.prefix { $0.key == key }
            rest = rest.dropFirst(points.count)
            guard let last = points.max(by: { $1.isLater(than: $0) }) else { continue }
            let isBlock = points.count >= MetricBlock.least
            if isBlock {
                try insertBlock(MetricPoint.history(of: points.map(\.asKept)), of: key, place.number, in: transaction)
            } else {
                single += points
            }
            latest.append((last, isBlock ? 0 : points.count))
        }
        try insertSingle(single, to: place, in: transaction)
        try offer(latest, to: place, in: transaction)
    }

    /// Packs what has gathered of the metrics of a run, where a metric has enough.
    static func pack(_ run: Int64, in transaction: Transaction) throws {
        let full = try transaction.query(
            "SELECT key FROM run_metrics WHERE run = ? AND loose >= \(MetricBlock.length)", [.integer(run)])
        for row in full { try pack(try row.string("key"), run, in: transaction) }
    }

    private static func pack(_ key: String, _ run: Int64, in transaction: Transaction) throws {
        // Who holds this row is alone in packing: a change of another server either waits or is seen whole.
        let held = try transaction.first(
            """
            UPDATE run_metrics SET loose = loose WHERE run = ? AND key = ? AND loose >= \(MetricBlock.length)
            RETURNING loose
            """, [.integer(run), .text(key)])
        guard let counted = try held?.integer("loose") else { return }
        let most = 16 * MetricBlock.length
        let points = try MetricHistory.loose(of: key, run: run, limit: most, in: transaction)
        let packed = points.prefix(points.count / MetricBlock.length * MetricBlock.length)
        for start in stride(from: 0, to: packed.count, by: MetricBlock.length) {
            try insertBlock(
                Array(packed[start..<(start + MetricBlock.length)]), of: key, run, in: transaction)
        }
        if let last = packed.last {
            try transaction.execute(
                """
                DELETE FROM metric_points
                WHERE run = ? AND key = ? AND (time, step, value, is_nan) <= (?, ?, ?, ?)
                """,
                [
                    .integer(run), .text(key), .init(last.time), .integer(last.step), .double(last.stored),
                    .init(last.value.isNaN),
                ])
        }
        // A point that came twice was counted twice.
        let left =
            points.count < most ? Int64(points.count - packed.count) : max(0, counted - Int64(packed.count))
        try transaction.execute(
            "UPDATE run_metrics SET loose = ? WHERE run = ? AND key = ?",
            [.integer(left), .integer(run), .text(key)])
    }

    private static func insertBlock(
        _ points: [MetricPoint], of key: String, _ run: Int64, in transaction: Transaction
    ) throws {
        guard let segment = MetricSegment(points) else { return }
        let last = try transaction.first(
            "SELECT max(number) AS last FROM metric_blocks WHERE run = ? AND key = ?", [.integer(run), .text(key)]
        )?.optionalInteger("last")
        let values = segment.values(number: (last ?? 0) + 1)
        try transaction.execute(
            """
            INSERT INTO metric_blocks (run, key, \(MetricSegment.columns), data)
            VALUES (?, ?, \(SearchStatement.marks(values.count)), ?)
            """, [.integer(run), .text(key)] + values + [.blob(MetricBlock(points).bytes)])
    }

    private static func insertSingle(
        _ points: [MetricPoint], to place: RunPlace, in transaction: Transaction
    ) throws {
        try transaction.insertMany(
            points, "INSERT INTO metric_points (run, key, time, step, value, is_nan)", columns: 6,
            "ON CONFLICT (run, key, time, step, value, is_nan) DO NOTHING"
        ) { point in
            [
                .integer(place.number), .text(point.key), .init(point.time), .integer(point.step),
                .double(point.stored), .init(point.value.isNaN),
            ]
        }
    }

    /// Makes points the latest of their metrics, where they are, and counts those that wait to be packed.
    private static func offer(
        _ points: [(point: MetricPoint, loose: Int)], to place: RunPlace, in transaction: Transaction
    ) throws {
        try transaction.insertMany(
            points, "INSERT INTO run_metrics (run, key, value, is_nan, step, time, experiment, loose)", columns: 8,
            takeOver
        ) { point, loose in
            [
                .integer(place.number), .text(point.key), .double(point.stored), .init(point.value.isNaN),
                .integer(point.step), .init(point.time), .integer(place.experiment), .init(loose),
            ]
        }
    }

    private static let takeOver: String = {
        let isLater = """
            (excluded.step, excluded.time, excluded.value) > (run_metrics.step, run_metrics.time, run_metrics.value)
            """
        let columns = ["value", "is_nan", "step", "time"].map {
            "\($0) = CASE WHEN \(isLater) THEN excluded.\($0) ELSE run_metrics.\($0) END"
        }
        return """
            ON CONFLICT (run, key) DO UPDATE SET loose = run_metrics.loose + excluded.loose,
              \(columns.joined(separator: ", "))
            """
    }()
}
