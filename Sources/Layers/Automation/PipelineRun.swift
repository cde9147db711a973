import Basics
import Registry
import Training

/// When a model is retrained by itself, as written under `pipelines/`.
public struct PipelineDefinition: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var endpoint: String
    public var training: String
    /// Kinds of alerts that start it.
    public var triggers: [String]
    /// The least time between two runs, in seconds of the factory's clock.
    public var cooldownSeconds: Int64
    /// How many runs there may be in all; nothing where unlimited.
    public var maximumRuns: Int?
    /// The challenger's AUC must reach the champion's, on the same held-out rows, times one plus this.
    public var margin: Double
    /// How much history to learn from before the holdout, in seconds; nil takes everything since the training's `from`.
    public var historySeconds: Int64?
}

/// One run of a pipeline: a state machine whose every step is durable.
public struct PipelineRun: Sendable, Codable, Equatable {
    public var id: String
    public var pipeline: String
    /// What started it: the id of an alert.
    public var trigger: String
    public var created: Timestamp
    public var state: State
    public var step: Step
    public var history: [StepRecord]
    public var candidate: Candidate?
    public var comparison: Comparison?
    public var version: ModelVersionID?
    public var rollout: String?
    public var reason: String?

    public enum State: String, Sendable, Codable, CaseIterable { case running, succeeded, refused, failed }

    /// In the order they are done.
    public enum Step: String, Sendable, Codable, CaseIterable { case train, evaluate, gate, register, rollout, done }

    public struct StepRecord: Sendable, Codable, Equatable {
        public var step: Step
        public var attempts: Int
        public var outcome: String
    }

    /// Champion and challenger on the same rows.
    public struct Comparison: Sendable, Codable, Equatable {
        public var from: Timestamp
        public var to: Timestamp
        public var rows: Int
        public var champion: ModelVersionID
        public var championAUC: Double
        public var challengerAUC: Double
        /// The two-sided p-value of DeLong's paired test.
        public var pValue: Double?
    }
}
