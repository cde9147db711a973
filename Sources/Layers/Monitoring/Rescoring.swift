import Basics
import Inference
import ObjectStorage
import Serving
import Statistics

/// Asks a model again for every recorded prediction, and judges the answers by the labels that have come since.
struct Rescoring {
    let model: any Model
    /// The bounds of the windows, rising.
    let windows: [Timestamp]

    func run(predictions: PredictionReader, labels: LabelReader, version: Int64) throws -> [WindowReport.VersionPart] {
        guard windows.count > 1, let first = windows.first, let last = windows.last else { return [] }
        var rows: [String: (window: Int, row: Int)] = [:]
        var scores: [[Double]] = Array(repeating: [], count: windows.count - 1)
        try predictions.read { record, _ in
            guard record.eventTime >= first, record.eventTime < last, rows[record.id] == nil,
                let after = windows.firstIndex(where: { $0 > record.eventTime }), after > 0
            else { return }
            let score = try model.predict(row: record.features).first ?? .nan
            rows[record.id] = (after - 1, scores[after - 1].count)
            scores[after - 1].append(score)
        }
        var truths = scores.map { [Bool?](repeating: nil, count: $0.count) }
        try labels.read { label, _ in
            if let place = rows[label.id] { truths[place.window][place.row] = label.value == 1 }
        }
        return zip(scores, truths).map { scores, truths in
            let labelled = zip(scores, truths).filter { $0.1 != nil }
            return WindowReport.VersionPart(
                version: version, requests: scores.count, labels: labelled.count,
                auc: RankingQuality(scores: labelled.map(\.0), labels: labelled.map { $0.1 == true })?.auc)
        }
    }
}
