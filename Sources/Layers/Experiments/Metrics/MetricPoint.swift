import Basics

/// One value of a metric at one step.
public struct MetricPoint: Sendable, Equatable {
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

    /// As it is kept: infinities become the largest finite numbers, as MLflow's stores do it.
    var stored: Double {
        if value.isNaN { return 0 }
        return min(max(value, -.greatestFiniteMagnitude), .greatestFiniteMagnitude)
    }

    /// Whether it comes after another of its metric: by step, then time, then value, where what is no number counts as 0.
    func isLater(than other: MetricPoint) -> Bool {
        (step, time.microseconds, stored) > (other.step, other.time.microseconds, other.stored)
    }
}

extension MetricPoint: Codable {
    private enum Member: String, CodingKey {
        case key, value, step, time
    }

    /// A value that is not a number is the text `NaN`.
    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Member.self)
        let isText = (try? members.decode(String.self, forKey: .value)) != nil
        self.init(
            key: try members.decode(String.self, forKey: .key),
            value: isText ? .nan : try members.decode(Double.self, forKey: .value),
            step: try members.decode(Int64.self, forKey: .step),
            time: try members.decode(Timestamp.self, forKey: .time))
    }

    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: Member.self)
        try members.encode(key, forKey: .key)
        if value.isFinite {
            try members.encode(value, forKey: .value)
        } else {
            try members.encode("NaN", forKey: .value)
        }
        try members.encode(step, forKey: .step)
        try members.encode(time, forKey: .time)
    }
}

/// A metric point on its way in.
public struct MetricEntry: Sendable {
    public var point: MetricPoint
    /// The logged model that it is about too.
    public var model: String?
    /// The dataset that it was measured on.
    public var datasetName: String?
    public var datasetDigest: String?

    public init(_ point: MetricPoint, model: String? = nil, datasetName: String? = nil, datasetDigest: String? = nil) {
        self.point = point
        self.model = model
        self.datasetName = datasetName
        self.datasetDigest = datasetDigest
    }
}

/// What is logged to a run in one change.
public struct RunBatch: Sendable {
    public var metrics: [MetricEntry]
    public var parameters: [Pair]
    public var tags: [Pair]

    public init(metrics: [MetricEntry] = [], parameters: [Pair] = [], tags: [Pair] = []) {
        self.metrics = metrics
        self.parameters = parameters
        self.tags = tags
    }
}
