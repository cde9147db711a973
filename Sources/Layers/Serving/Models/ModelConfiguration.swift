/// How a model is served. Where nothing is said, the model itself and what its runs cost decide.
public struct ModelConfiguration: Sendable, Codable, Equatable {
    /// Rows that are run at once at most; nil for as many as the latency budget allows, 0 for no batching.
    public var maxBatchSize: Int?
    /// Sizes at which a batch that is being held back goes.
    public var preferredBatchSizes: [Int]
    /// How long a request may be held back for others while it is not alone, in microseconds; 0 for never.
    public var maxQueueDelayMicroseconds: Int
    /// Requests that may wait; one more is refused.
    public var maxQueueSize: Int
    /// How long a request waits at most where it does not say, in microseconds; 0 for ever.
    public var defaultTimeoutMicroseconds: Int
    /// How many priorities there are, 1 the first to go; 0 where priorities are not told apart.
    public var priorityLevels: Int
    /// The priority of requests that do not say.
    public var defaultPriorityLevel: Int
    /// How many runs go on at the same time; nil for one on each core.
    public var instances: Int?
    /// What a run of several requests may take, in microseconds.
    public var latencyBudgetMicroseconds: Int
    /// Which versions are loaded.
    public var versionPolicy: VersionPolicy
    /// How answers are kept for those who ask the same again; nil where they are not.
    public var responseCache: ResponseCacheSettings?
    /// How many replicas are wanted by load; nil where their number is fixed.
    public var scaling: ScalingPolicy?
    /// What is kept of its requests, where a server keeps any; nil for what the server says.
    public var record: RecordPolicy?
    /// What each stage of answering may take.
    public var latencyBudget: LatencyBudget?
    /// The models it is made of; nil for one that is a file.
    public var ensemble: EnsembleDefinition?

    /// How long and how many answers are kept.
    public struct ResponseCacheSettings: Sendable, Codable, Equatable {
        /// Bytes of all answers together.
        public var bytes: Int
        /// After so many seconds an answer is given no more; 0 for as long as the version is served.
        public var seconds: Int

        public init(bytes: Int = 64 << 20, seconds: Int = 0) {
            self.bytes = bytes
            self.seconds = seconds
        }
    }

    /// Rows that are run at once where nothing else is said: more gain nothing, and make the answers of all wait.
    public static let rowsMax = 1024

    /// Which versions of a model are loaded.
    public enum VersionPolicy: Sendable, Codable, Equatable {
        /// So many of the highest numbers.
        case latest(Int)
        case all
        case specific([String])
    }

    public init(
        maxBatchSize: Int? = nil, preferredBatchSizes: [Int] = [], maxQueueDelayMicroseconds: Int = 0,
        maxQueueSize: Int = 4096, defaultTimeoutMicroseconds: Int = 0, priorityLevels: Int = 0,
        defaultPriorityLevel: Int = 0, instances: Int? = nil, latencyBudgetMicroseconds: Int = 10_000,
        versionPolicy: VersionPolicy = .all, responseCache: ResponseCacheSettings? = nil,
        scaling: ScalingPolicy? = nil
    ) {
        self.maxBatchSize = maxBatchSize
        self.preferredBatchSizes = preferredBatchSizes
        self.maxQueueDelayMicroseconds = maxQueueDelayMicroseconds
        self.maxQueueSize = maxQueueSize
        self.defaultTimeoutMicroseconds = defaultTimeoutMicroseconds
        self.priorityLevels = priorityLevels
        self.defaultPriorityLevel = defaultPriorityLevel
        self.instances = instances
        self.latencyBudgetMicroseconds = latencyBudgetMicroseconds
        self.versionPolicy = versionPolicy
        self.responseCache = responseCache
        self.scaling = scaling
    }
}
