import Basics

/// Whether the files of a logged model are all there.
public enum LoggedModelStatus: String, Sendable, CaseIterable {
    case pending = "PENDING"
    case ready = "READY"
    case failed = "UPLOAD_FAILED"
}

/// A model that was logged while training, before anybody registers it.
public struct LoggedModel: Sendable, Equatable {
    /// `m-` and 32 hexadecimal digits.
    public var id: String
    public var experiment: Int64
    public var name: String
    /// Where its files are, as a URI.
    public var location: String
    public var status: LoggedModelStatus
    /// What kind of model it is; may be empty.
    public var type: String
    /// The run that made it; may be empty.
    public var sourceRun: String
    public var stage: LifecycleStage
    public var created: Timestamp
    public var updated: Timestamp
    public var parameters: [Pair] = []
    public var tags: [Pair] = []
    public var metrics: [LoggedModelMetric] = []
}

/// A metric point about a logged model.
public struct LoggedModelMetric: Sendable, Equatable {
    public var point: MetricPoint
    /// The run that measured it.
    public var run: String
    /// The dataset that it was measured on; empty where none was named.
    public var datasetName: String
    public var datasetDigest: String
}

/// A dataset that metrics of logged models are looked at for.
public struct DatasetName: Sendable, Hashable {
    public var name: String
    /// Nil for every digest.
    public var digest: String?

    public init(name: String, digest: String?) {
        self.name = name
        self.digest = digest
    }
}
