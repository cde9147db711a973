import Basics

/// How far a run has come; the names MLflow uses.
public enum RunStatus: String, Sendable, Codable, CaseIterable {
    case running = "RUNNING"
    case scheduled = "SCHEDULED"
    case finished = "FINISHED"
    case failed = "FAILED"
    case killed = "KILLED"

    /// Whether a run of this status works no more.
    public var hasEnded: Bool { self != .running && self != .scheduled }
}

/// A training run as the factory's own interface tells it.
public struct Run: Sendable, Codable, Equatable {
    /// 32 hexadecimal digits.
    public var id: String
    /// The name of its experiment.
    public var experiment: String
    public var name: String
    public var status: RunStatus
    public var started: Timestamp
    public var ended: Timestamp?
    public var parameters: [String: String]
    public var tags: [String: String]
    /// The latest value of each metric, without those that are not a number.
    public var metrics: [String: Double]
    public var artifacts: [Artifact]

    /// A file of a run, named by its content.
    public struct Artifact: Sendable, Codable, Equatable {
        public var path: String
        public var digest: Digest
        public var bytes: Int64
    }
}

/// The life cycle of experiments and runs: what is deleted is kept, and can be restored.
public enum LifecycleStage: String, Sendable, Codable, CaseIterable {
    case active, deleted
}

/// A key and its value, both text: a parameter or a tag.
public struct Pair: Sendable, Hashable, Codable {
    public var key: String
    public var value: String

    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

/// What is known of a run besides what was logged to it.
public struct RunInfo: Sendable, Equatable {
    /// 32 hexadecimal digits.
    public var id: String
    /// The id of its experiment.
    public var experiment: Int64
    public var name: String
    public var user: String
    public var status: RunStatus
    public var stage: LifecycleStage
    /// Where its artifacts are, as a URI.
    public var location: String
    public var started: Timestamp
    public var ended: Timestamp?

    public init(
        id: String, experiment: Int64, name: String, user: String, status: RunStatus, stage: LifecycleStage,
        location: String, started: Timestamp, ended: Timestamp?
    ) {
        self.id = id
        self.experiment = experiment
        self.name = name
        self.user = user
        self.status = status
        self.stage = stage
        self.location = location
        self.started = started
        self.ended = ended
    }
}

/// A run and what was logged to it: the latest value of each metric, parameters, tags, and what went in and came out.
public struct RunRecord: Sendable, Equatable {
    public var info: RunInfo
    public var metrics: [MetricPoint] = []
    public var parameters: [Pair] = []
    public var tags: [Pair] = []
    public var datasets: [DatasetInput] = []
    /// The logged models it used.
    public var modelInputs: [ModelLink] = []
    /// The logged models it made.
    public var modelOutputs: [ModelLink] = []
}

/// A dataset that a run read.
public struct DatasetInput: Sendable, Equatable, Codable {
    public var name: String
    public var digest: String
    public var sourceType: String
    public var source: String
    public var schema: String?
    public var profile: String?
    /// Of the use, such as its context.
    public var tags: [Pair]

    public init(
        name: String, digest: String, sourceType: String, source: String, schema: String?, profile: String?,
        tags: [Pair]
    ) {
        self.name = name
        self.digest = digest
        self.sourceType = sourceType
        self.source = source
        self.schema = schema
        self.profile = profile
        self.tags = tags
    }
}

/// A logged model that a run used or made.
public struct ModelLink: Sendable, Hashable, Codable {
    public var model: String
    public var step: Int64

    public init(model: String, step: Int64) {
        self.model = model
        self.step = step
    }
}
