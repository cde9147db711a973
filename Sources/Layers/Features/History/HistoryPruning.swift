import Columnar
import Datasets

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

    /// What ``checks`` found, in rows that can be used.
    struct Found {
        /// Rows that are left out because a join key is null.
        var keyless: Int64
        /// Whether an entity has several rows of one event time.
        var hasTies: Bool
    }

    /// Reads the row that ``checks`` gave.
    /// - Throws: ``FeaturesFailure/badView(view:problem:)`` where rows can not be used.
    func judge(_ counts: Table) throws -> Found {
        func refuse(_ problem: String) -> FeaturesFailure { .badView(view: view.name, problem: problem) }
        if try counts.count("timeless") > 0 { throw refuse("\(view.eventTime) is null in some rows") }
        if try counts.count("uncreated") > 0 {
            throw refuse("\(view.createdTime ?? "its created time") is null in some rows")
        }
        if try counts.count("off_grid") > 0 {
            throw refuse("some rows are not on its grid of \(view.everySeconds ?? 0) seconds")
        }
        let repeated = try counts.count("repeated")
        if repeated > 0, view.everySeconds != nil, view.createdTime == nil {
            throw refuse("\(repeated) entities have two rows at one \(view.eventTime)")
        }
        return Found(keyless: try counts.count("keyless"), hasTies: repeated > 0)
    }

    /// The rows to keep, in order of the time that a join compares, then of their keys.
    ///
    /// - Parameter hasTies: as ``judge(_:)`` tells.
    func ordered(hasTies: Bool) -> String {
        let order = [SQLText.identifier(view.joinTime)] + keys
        return "\(query(hasTies: hasTies)) ORDER BY \(order.joined(separator: ", "))"
    }

    /// The rows to keep, in any order.
    func query(hasTies: Bool) -> String {
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
            return "SELECT \(list) FROM \(rows) WHERE \(keyed)\(newest)"
        }
        // Of one event time, rows come in order of their created time wherever it decides. So a row is greater than all
        // before it where its event time is not less than any of theirs; of those of one k the last is the greatest.
        let window = """
            PARTITION BY \(partition) ORDER BY \(Self.knowable), \(eventTime), \(createdTime), \(Self.position)
            """
        return """
            SELECT \(list) FROM (
              SELECT *, max(\(eventTime)) OVER (\(window) ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __newest,
                     lead(\(Self.knowable)) OVER (\(window)) AS __next
              FROM (SELECT *, greatest(\(eventTime), \(createdTime)) AS \(Self.knowable) FROM \(rows) WHERE \(keyed)))
            WHERE \(eventTime) = __newest AND __next IS DISTINCT FROM \(Self.knowable)
            """
    }
}

extension FeatureView {
    /// Whether a row may be knowable later than its event time, so that its history holds ``HistoryPruning/knowable``.
    var delays: Bool { createdTime != nil && lateData == .hidden }

    /// The column of its history that the moment asked for is compared with.
    var joinTime: String { delays ? HistoryPruning.knowable : eventTime }
}
