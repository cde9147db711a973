import Basics

/// How far a run has come; the names MLflow uses.
public enum RunStatus: String, Sendable, Codable, CaseIterable {
    case running = "RUNNING"
    case finished = "FINISHED"
    case failed = "FAILED"
}

/// One value of a metric at one step.
public struct MetricPoint: Sendable, Codable, Equatable {
    public var key: String
    public var value: Double
    public var step: Int64
    public var time: Timestamp

    public init(key: String, value: Double, step: Int64, time: Timestamp) {
        self.key = key
        self.value = value
        self.step = step
        self.time = time
    }
}

/// A training run with everything needed to do it again.
public struct Run: Sendable, Codable, Equatable {
    public var id: String
    public var experiment: String
    public var name: String
    public var status: RunStatus
    public var started: Timestamp
    public var ended: Timestamp?
    public var parameters: [String: String]
    public var tags: [String: String]
    /// The last value of each metric.
    public var metrics: [String: Double]
    public var artifacts: [Artifact]

    /// A file of a run, named by its content.
    public struct Artifact: Sendable, Codable, Equatable {
        public var path: String
        public var digest: Digest
        public var bytes: Int64
    }
}
