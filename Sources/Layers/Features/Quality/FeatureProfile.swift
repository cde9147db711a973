import Basics

/// How the values of one feature are distributed over a history.
public struct FeatureProfile: Sendable, Codable, Equatable {
    public var feature: String
    public var type: FeatureType
    /// Rows that are null, or a number that is not finite or beyond ±1e140.
    public var missing: Int64
    /// Of all rows, 0 to 1.
    public var missingShare: Double
    /// Different values of a text or a boolean; nil for others.
    public var distinct: Int64?
    /// Of numbers; nil for others, and where there is no value.
    public var mean: Double?
    /// The population standard deviation (divided by n).
    public var standardDeviation: Double?
    public var minimum: Double?
    public var maximum: Double?
    /// The values at ``quantileLevels``; empty for what is no number.
    public var quantiles: [Double]
    /// Nil for what is no number.
    public var histogram: Histogram?
    /// The most frequent texts, or true and false, of the sample, most frequent first.
    public var top: [TopValue]
    /// The distance from the reference; nil in a profile that was compared with none.
    public var drift: Drift?

    public static let quantileLevels = [0.01, 0.25, 0.5, 0.75, 0.99]

    /// Counts of the sample in bins of equal width; the first and the last hold what lies further out too.
    public struct Histogram: Sendable, Codable, Equatable {
        public var from: Double
        public var to: Double
        public var counts: [Int]
    }

    /// A value and its share of the sample's rows, 0 to 1.
    public struct TopValue: Sendable, Codable, Equatable {
        public var value: String
        public var share: Double
    }

    /// How far a feature lies from its reference.
    public struct Drift: Sendable, Codable, Equatable {
        /// The population stability index of all rows; nil where there are too few.
        public var psi: Double?
        /// That of the rows which are newer than the reference's sources were; nil where there are too few.
        public var recentPSI: Double?
        /// The Kolmogorov-Smirnov distance of all rows; nil for what is no number.
        public var ks: Double?

        /// The greater index.
        public var worst: Double? { [psi, recentPSI].compactMap(\.self).max() }
    }
}

/// How all features of a view are distributed over one of its histories.
///
/// Counts, means and extremes are of all rows. Quantiles, histograms, top values and distances are of a sample: every
/// second, third, ... row where there are more than ``sampleMax``.
public struct HistoryProfile: Sendable, Codable, Equatable {
    public var view: String
    /// What the history is looked up by.
    public var key: Digest
    public var definition: Digest
    public var created: Timestamp
    public var rows: Int64
    /// The newest event of the view's sources; nil where they have none.
    public var newest: Timestamp?
    /// The key of the history that it was compared with; nil where there was none.
    public var reference: Digest?
    /// Since when later histories are compared with this one; nil where they are not.
    public var accepted: Timestamp?
    /// In the order of the definition.
    public var features: [FeatureProfile]

    /// How many rows a sample has at most.
    public static let sampleMax: Int64 = 50_000

    /// The greatest index of its features; nil where none was compared.
    public var worst: Double? { features.compactMap { $0.drift?.worst }.max() }

    /// What has drifted further than a rule allows, the worst first. Nothing once the history has been accepted.
    public func drifted(beyond rule: DriftRule) -> [FeatureProfile] {
        guard accepted == nil else { return [] }
        return features.filter { ($0.drift?.worst ?? 0) > rule.psi }
            .sorted { ($0.drift?.worst ?? 0, $1.feature) > ($1.drift?.worst ?? 0, $0.feature) }
    }

    /// A profile as one line of a list.
    public struct Summary: Sendable, Codable, Equatable {
        public var created: Timestamp
        public var rows: Int64
        public var worst: Double?
        public var accepted: Timestamp?
        public var key: Digest
    }
}

/// A feature whose values have drifted further than its view allows.
public struct DriftFinding: Sendable, Codable, Hashable {
    public var view: String
    /// The one that drifted furthest.
    public var feature: String
    /// Its population stability index.
    public var psi: Double
    /// What is allowed.
    public var bound: Double
}
