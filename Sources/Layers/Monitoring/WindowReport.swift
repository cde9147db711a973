import Basics
import ObjectStorage
import Registry

/// What a window of predictions looked like beside what the model saw in training.
public struct WindowReport: Sendable, Codable, Equatable {
    public var endpoint: String
    public var start: Timestamp
    public var end: Timestamp
    public var evaluated: Timestamp
    /// The version whose training is the reference.
    public var reference: ModelVersionID
    public var requests: Int
    public var labels: Int
    /// Requests that the canary failed and the stable version answered.
    public var fallbacks: Int
    public var byVersion: [VersionPart]
    /// AUC of the answers as given, over all versions; nil with too few labels.
    public var servedAUC: Double?
    public var baselineAUC: Double?
    public var features: [FeatureDrift]
    public var scorePSI: Double?
    public var performanceBelow: Bool
    public var alerts: [Alert]
    /// Where the next window's records and labels begin.
    var next: Bookmark

    public struct VersionPart: Sendable, Codable, Equatable {
        public var version: Int64
        public var requests: Int
        public var labels: Int
        public var auc: Double?
    }

    public struct FeatureDrift: Sendable, Codable, Equatable {
        public var name: String
        public var psi: Double
        public var ks: Double
        /// The share of nulls in the window.
        public var missing: Double
        public var level: MonitorDefinition.Level
    }

    struct Bookmark: Sendable, Codable, Equatable {
        var records: RecordPosition
        var labels: RecordPosition
    }
}

/// Something an operator, or the control loop, should act on.
public struct Alert: Sendable, Codable, Equatable {
    public var id: String
    public var monitor: String
    public var endpoint: String
    public var kind: Kind
    public var time: Timestamp
    public var message: String
    /// The window before raised it too: nothing new, but not over either.
    public var ongoing: Bool

    public enum Kind: String, Sendable, Codable, CaseIterable { case drift, performance }
}
