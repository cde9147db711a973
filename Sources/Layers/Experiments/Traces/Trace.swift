import Basics

/// How far a trace has come; the names MLflow uses.
public enum TraceState: String, Sendable, CaseIterable {
    case unspecified = "STATE_UNSPECIFIED"
    case good = "OK"
    case failed = "ERROR"
    case running = "IN_PROGRESS"
}

/// What is known of a trace, one request through an application, besides its spans.
public struct TraceInfo: Sendable, Equatable {
    /// Letters, digits and `._:-`, at most 128; MLflow's are `tr-` and the 32 hexadecimal digits of OpenTelemetry's id.
    public var id: String
    /// The id of its experiment.
    public var experiment: Int64
    public var started: Timestamp
    /// Microseconds from start to end; nil until it has ended.
    public var duration: Int64?
    public var state: TraceState
    /// What its caller named it.
    public var clientRequest: String?
    /// The beginning of what went in, as text.
    public var requestPreview: String?
    /// The beginning of what came out, as text.
    public var responsePreview: String?
    /// What was said of it at its end, and does not change; by key.
    public var metadata: [Pair]
    /// By key.
    public var tags: [Pair]

    public init(
        id: String, experiment: Int64, started: Timestamp, duration: Int64?, state: TraceState,
        clientRequest: String? = nil, requestPreview: String? = nil, responsePreview: String? = nil,
        metadata: [Pair] = [], tags: [Pair] = []
    ) {
        self.id = id
        self.experiment = experiment
        self.started = started
        self.duration = duration
        self.state = state
        self.clientRequest = clientRequest
        self.requestPreview = requestPreview
        self.responsePreview = responsePreview
        self.metadata = metadata
        self.tags = tags
    }
}

/// One step of a trace.
public struct TraceSpan: Sendable, Equatable {
    /// The id of its trace, as in ``TraceInfo/id``.
    public var trace: String
    /// 16 hexadecimal digits.
    public var id: String
    /// The id of the span it is part of; nil for the outermost.
    public var parent: String?
    public var name: String
    public var started: Timestamp
    /// Nil where it has not ended.
    public var ended: Timestamp?
    public var hasFailed: Bool
    /// What went in and came out, as text; nil where it is not told.
    public var input: String?
    public var output: String?
    /// All of it, as a JSON document that is kept and given back as it is.
    public var content: [UInt8]

    public init(
        trace: String, id: String, parent: String?, name: String, started: Timestamp, ended: Timestamp?,
        hasFailed: Bool, input: String? = nil, output: String? = nil, content: [UInt8]
    ) {
        self.trace = trace
        self.id = id
        self.parent = parent
        self.name = name
        self.started = started
        self.ended = ended
        self.hasFailed = hasFailed
        self.input = input
        self.output = output
        self.content = content
    }
}

/// Keys of traces' tags and metadata that mean something to MLflow.
public enum TraceKey {
    public static let name = "mlflow.traceName"
    /// Where the files of a trace are, as a URI.
    public static let location = "mlflow.artifactLocation"
    /// Whether the spans are here, and not in a file of the trace.
    public static let spansLocation = "mlflow.trace.spansLocation"
    static let here = "TRACKING_STORE"
    /// Of the metadata: the run it belongs to.
    public static let run = "mlflow.sourceRun"
}
