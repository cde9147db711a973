import Columnar

/// The rows of a view that can ever be used, out of all that its query gives.
///
/// A row is knowable from k = max(event time, created time). At a moment T, of the rows knowable by then, the one with the
/// greatest (event time, created time, position in the query's result) is used, so it only ever grows with T. What is kept is
/// therefore every row that is greater than all that were knowable before it; among rows of one k the greatest. Join keys
/// and k are then unique, and a join as of T needs no tie-break.
///
/// Where late data is visible the created time does not delay a row: of the rows of one event time the one created last
/// is kept, and of those the last in the query's result.
struct HistoryPruning {
    /// The column with k. It is there where rows can be knowable later than they happened.
    static let knowable = "__knowable"

    let view: FeatureView
    /// The result of the view's query as a table, with its position in `file_row_number`.
    let rows: String

    private static let position = "file_row_number"

    private var keys: [String] { view.joinKeys.map(SQLText.identifier) }
    private var eventTime: String { SQLText.identifier(view.eventTime) }
    private var createdTime: String? { view.createdTime.map(SQLText.identifier) }
    private var keyed: String { keys.map { "\($0) IS NOT NULL" }.joined(separator: " AND ") }
    private var columns: [String] {
        keys + [eventTime] + (createdTime.map { [$0] } ?? [])
            + (view.delays ? [Self.knowable] : []) + view.featureNames.map(SQLText.identifier)
    }

    /// One row of counts: rows without event time, without created time, off the grid, without a key; and groups of rows
    /// of one entity and event time.
    var checks: String {
        let offGrid =
            view.everySeconds.map { "count(*) FILTER (epoch_us(\(eventTime)) % (\($0) * 1000000::HUGEINT) <> 0)" }
            ?? "0"
        let uncreated = createdTime.map { "count(*) FILTER (\($0) IS NULL)" } ?? "0"
        let groups = (keys + [eventTime]).joined(separator: ", ")
        // Where rows are ordered by when they became knowable, ties are settled on the way.
        let repeated =
            view.delays
            ? "0"
            : "(SELECT count(*) FROM (SELECT 1 FROM \(rows) WHERE \(keyed) GROUP BY \(groups) HAVING count(*) > 1))"
        return """
            SELECT count(*) FILTER (\(eventTime) IS NULL) AS timeless, CAST(\(uncreated) AS BIGINT) AS uncreated,
                   CAST(\(offGrid) AS BIGINT) AS off_grid, count(*) FILTER (NOT (\(keyed))) AS keyless,
                   CAST(\(repeated) AS BIGINT) AS repeated
            FROM \(rows)
            """
    }

    /// The rows to keep, in order of the time that a join compares, then of their keys.
    ///
    /// - Parameter hasTies: whether an entity has several rows of one event time, as ``checks`` tells.
    func query(hasTies: Bool) -> String {
        let order = ([SQLText.identifier(view.joinTime)] + keys).joined(separator: ", ")
        let list = columns.joined(separator: ", ")
        let partition = keys.joined(separator: ", ")
        guard view.delays, let createdTime else {
            let created = createdTime.map { "\($0) DESC, " } ?? ""
            let newest =
                hasTies
                ? """
                 QUALIFY row_number() OVER (PARTITION BY \(partition), \(eventTime)
                                            ORDER BY \(created)\(Self.position) DESC) = 1
                """ : ""
            return "SELECT \(list) FROM \(rows) WHERE \(keyed)\(newest) ORDER BY \(order)"
        }
        // Of one event time, rows come in order of their created time wherever it decides. So a row is greater than all
        // before it where its event time is, or where its event time is equal and its k later than that of the row before.
        let window = """
            PARTITION BY \(partition)
            ORDER BY \(Self.knowable), \(eventTime) DESC, \(createdTime) DESC, \(Self.position) DESC
            """
        return """
            SELECT \(list) FROM (
              SELECT *, max(\(eventTime)) OVER (\(window) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS __newest,
                     lag(\(Self.knowable)) OVER (\(window)) AS __before
              FROM (SELECT *, greatest(\(eventTime), \(createdTime)) AS \(Self.knowable) FROM \(rows) WHERE \(keyed)))
            WHERE __newest IS NULL OR \(eventTime) > __newest
               OR (\(eventTime) = __newest AND \(Self.knowable) > __before)
            ORDER BY \(order)
            """
    }
}

extension FeatureView {
    /// Whether a row may be knowable later than its event time, so that its history holds ``HistoryPruning/knowable``.
    var delays: Bool { createdTime != nil && lateData == .hidden }

    /// The column of its history that the moment asked for is compared with.
    var joinTime: String { delays ? HistoryPruning.knowable : eventTime }
}
