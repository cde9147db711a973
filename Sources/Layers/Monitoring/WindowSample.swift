import Basics
import Features
import Inference
import ObjectStorage
import Registry
import Serving
import Statistics

/// The predictions of one window with the labels that have come, one row per prediction id.
struct WindowSample {
    var versions: [Int64] = []
    var outputs: [Double] = []
    /// NaN where no label has come.
    var labels: [Double] = []
    var fallbacks = 0
    var inputNames: [String] = []
    /// One column per input.
    var columns: [[Double]] = []
    var next: WindowReport.Bookmark

    static func collect(
        inputNames: [String], predictions: PredictionReader, labels: LabelReader, from bookmark: WindowReport.Bookmark,
        start: Timestamp, end: Timestamp
    ) throws -> WindowSample {
        var sample = WindowSample(next: bookmark)
        sample.inputNames = inputNames
        sample.columns = Array(repeating: [], count: sample.inputNames.count)
        var rows: [String: Int] = [:]
        var nextFound = false
        try predictions.read { record, position in
            if record.eventTime >= end, !nextFound {
                sample.next.records = position
                nextFound = true
            }
            guard record.eventTime >= start, record.eventTime < end,
                record.features.count == sample.inputNames.count, rows[record.id] == nil
            else { return }
            rows[record.id] = sample.outputs.count
            sample.versions.append(record.version)
            sample.outputs.append(record.output)
            sample.labels.append(.nan)
            if record.outcome == .fallback { sample.fallbacks += 1 }
            for (index, value) in record.features.enumerated() { sample.columns[index].append(value) }
        }

        nextFound = false
        try labels.read { label, position in
            if label.time >= end, !nextFound {
                sample.next.labels = position
                nextFound = true
            }
            if let row = rows[label.id], sample.labels[row].isNaN { sample.labels[row] = label.value }
        }
        return sample
    }

    /// AUC of the labelled rows among `rows`.
    private func auc(_ rows: [Int], scores: [Double]) -> (labels: Int, auc: Double?) {
        let labelled = rows.filter { !labels[$0].isNaN }
        return (
            labelled.count,
            RankingQuality(scores: labelled.map { scores[$0] }, labels: labelled.map { labels[$0] == 1 })?.auc
        )
    }

    /// The version that gave most of the answers.
    var mainVersion: Int64? {
        Dictionary(grouping: versions) { $0 }.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }?.key
    }

    func report(
        definition: MonitorDefinition, start: Timestamp, end: Timestamp, now: Timestamp, reference: ModelVersionID,
        profile: ModelProfile
    ) -> WindowReport {
        let all = Array(outputs.indices)
        let served = auc(all, scores: outputs)
        let parts = Dictionary(grouping: all) { versions[$0] }.sorted { $0.key < $1.key }.map { version, rows in
            let part = auc(rows, scores: outputs)
            return WindowReport.VersionPart(
                version: version, requests: rows.count, labels: part.labels, auc: part.auc)
        }
        let drift = zip(inputNames, columns).compactMap { name, values -> WindowReport.FeatureDrift? in
            guard case .numeric(let reference) = profile.reference.features[name], !values.isEmpty else { return nil }
            let psi = reference.populationStability(of: values) ?? 0
            let ks = reference.kolmogorovSmirnov(of: values)?.statistic ?? 0
            let missing = Double(values.count { $0.isNaN }) / Double(values.count)
            let level = max(definition.psi.level(of: psi), definition.ks.level(of: ks))
            return WindowReport.FeatureDrift(
                name: name, psi: psi, ks: ks, missing: missing,
                level: definition.psi.level(of: psi) == .critical ? .critical : min(level, .warning))
        }
        let enough = served.labels >= definition.performance.minimumLabels
        let baseline = profile.metrics["auc"]
        let below: Bool
        if enough, let auc = served.auc, let baseline, baseline > 0 {
            below = (baseline - auc) / baseline > definition.performance.maximumDrop
        } else {
            below = false
        }
        return WindowReport(
            endpoint: definition.endpoint, start: start, end: end, evaluated: now, reference: reference,
            requests: outputs.count, labels: served.labels, fallbacks: fallbacks, byVersion: parts,
            servedAUC: enough ? served.auc : nil, baselineAUC: baseline, features: drift,
            scorePSI: profile.reference.prediction?.populationStability(of: outputs),
            performanceBelow: below, alerts: [], next: next)
    }
}

extension MonitorDefinition.Level: Comparable {
    private var rank: Int { MonitorDefinition.Level.allCases.firstIndex(of: self) ?? 0 }

    public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
}
