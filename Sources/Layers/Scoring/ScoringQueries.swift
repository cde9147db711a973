import Basics
import Columnar

/// The queries that give a partition's rows as they are written.
struct ScoringQueries: Sendable {
    let rows: PartitionedRows
    let run: ScoringRun
    let layout: OutputLayout
    /// Columns of the input that the output has too.
    let kept: [String]

    /// What each row is stamped with, in this order after the predictions.
    static let stamps = ["model_name", "model_version", "run_id", "scored_at"]
    /// Tells why a row has no prediction.
    static let problem = "score_error"

    /// - Throws: ``ScoringFailure/missingColumn(_:found:nearest:)``, ``ScoringFailure/takenName(_:)``.
    init(rows: PartitionedRows, run: ScoringRun, layout: OutputLayout) throws {
        self.rows = rows
        self.run = run
        self.layout = layout
        let names = rows.columns.map(\.name)
        switch run.plan.keep {
        case .all: kept = names
        case .columns(let wanted):
            kept = try wanted.map { name in
                guard let found = names.first(where: { $0 == name }) else {
                    throw ScoringFailure.missingColumn(
                        name, found: names, nearest: NearestWord.of(name, among: names))
                }
                return found
            }
        }
        var seen: Set<String> = []
        let added = layout.columns.map(\.name) + Self.stamps + (run.plan.onError == .null ? [Self.problem] : [])
        for name in kept + added where !seen.insert(name.lowercased()).inserted {
            throw ScoringFailure.takenName(name)
        }
    }

    /// The partition's rows with their predictions and stamps.
    /// - Parameters:
    ///   - predictions: the table of ``Predictions``.
    ///   - inOrder: whether it has all rows in the order in which they are read, which saves looking each one up. Rows
    ///     for which that does not hold are left out, so that their number tells.
    func scored(_ range: Range<Int64>, predictions: String, at time: Timestamp, inOrder: Bool) -> String {
        var columns = kept.map { "s.\(SQLText.identifier($0))" }
        for (index, column) in layout.columns.enumerated() {
            columns.append("p.\(Predictions.name(index)) AS \(SQLText.identifier(column.name))")
        }
        columns += stamps(at: time)
        if run.plan.onError == .null { columns.append("p.\(Predictions.problem) AS \(Self.problem)") }
        return join(range, predictions, columns, reading: kept, inOrder: inOrder)
    }

    /// Rows that were refused, with the reason.
    /// - Parameter refused: a table of places and problems.
    func deadLetters(_ range: Range<Int64>, refused: String, at time: Timestamp) -> String {
        let all = rows.columns.map { "s.\(SQLText.identifier($0.name))" }
        return join(
            range, refused,
            all + ["p.\(Predictions.place) AS input_row", "p.\(Predictions.problem) AS \(Self.problem)"]
                + stamps(at: time), reading: rows.columns.map(\.name), inOrder: false)
    }

    private func join(
        _ range: Range<Int64>, _ table: String, _ columns: [String], reading: [String], inOrder: Bool
    ) -> String {
        let read = rows.select(range, reading.map { SQLText.identifier($0) })
        let places = "p.\(Predictions.place) = s.\(SQLText.identifier(PartitionedRows.place))"
        return """
            SELECT \(columns.joined(separator: ", ")) FROM (\(read)) AS s \
            \(inOrder ? "POSITIONAL JOIN \(table) AS p WHERE \(places)" : "JOIN \(table) AS p ON \(places)")
            """
    }

    private func stamps(at time: Timestamp) -> [String] {
        // A type of one value is written without a look at each row; files and readers have it as text.
        func stamp(_ text: String) -> String { "CAST(\(SQLText.literal(text)) AS ENUM (\(SQLText.literal(text))))" }
        let plan = run.plan
        return [
            "\(stamp(plan.model)) AS model_name", "\(stamp(plan.version)) AS model_version",
            "\(stamp(run.id)) AS run_id", "make_timestamp(\(time.microseconds)) AS scored_at",
        ]
    }
}
