import Basics
import Statistics

/// How well scores foretell binary labels, on one set of rows.
public struct Evaluation: Sendable, Codable, Equatable {
    public var rows: Int
    public var positives: Int
    public var auc: Double
    public var logLoss: Double?
    public var brier: Double?
    public var calibrationError: Double?

    /// - Returns: nil where there are no rows of one of the classes.
    public init?(scores: [Double], labels: [Double]) {
        let truths = labels.map { $0 == 1 }
        positives = truths.count { $0 }
        rows = truths.count
        guard let area = RankingQuality(scores: scores, labels: truths)?.auc else { return nil }
        auc = area
        logLoss = ProbabilityMetrics.logLoss(probabilities: scores, labels: truths)
        brier = ProbabilityMetrics.brier(probabilities: scores, labels: truths)
        calibrationError = Reliability(probabilities: scores, labels: truths)?.expectedError
    }

    public func metrics(prefix: String) -> [String: Double] {
        [
            "\(prefix)_rows": Double(rows), "\(prefix)_auc": auc, "\(prefix)_log_loss": logLoss,
            "\(prefix)_brier": brier, "\(prefix)_ece": calibrationError,
        ].compactMapValues { $0 }
    }
}
