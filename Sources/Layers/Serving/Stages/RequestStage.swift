/// A part of answering a request; each has a latency budget of its own.
public enum RequestStage: String, Sendable, Codable, CaseIterable {
    /// From the first look at the request's bytes until its values are at hand.
    case ingest
    /// Features that are joined, the wait for the model's turn, rows put together with those of others.
    case preprocess
    /// The run of the model.
    case inference
    /// The rows of this request cut out of the answer, and handed back to who waits for them.
    case postprocess
    /// The answer written as the caller reads it.
    case serialise
    /// All of it.
    case total
}

/// Where the time of one request went, in nanoseconds.
public struct StageTimes: Sendable, Equatable, Codable {
    public var ingest: UInt64
    public var preprocess: UInt64
    public var inference: UInt64
    public var postprocess: UInt64
    public var serialise: UInt64
    public var total: UInt64

    public init(
        ingest: UInt64 = 0, preprocess: UInt64 = 0, inference: UInt64 = 0, postprocess: UInt64 = 0,
        serialise: UInt64 = 0, total: UInt64 = 0
    ) {
        self.ingest = ingest
        self.preprocess = preprocess
        self.inference = inference
        self.postprocess = postprocess
        self.serialise = serialise
        self.total = total
    }

    /// The same with all that is left of `total` as the time of ``RequestStage/serialise``.
    public func fillingSerialise() -> StageTimes {
        var times = self
        let known = ingest &+ preprocess &+ inference &+ postprocess
        times.serialise = total > known ? total - known : 0
        return times
    }

    /// The time of one stage.
    public subscript(stage: RequestStage) -> UInt64 {
        switch stage {
        case .ingest: ingest
        case .preprocess: preprocess
        case .inference: inference
        case .postprocess: postprocess
        case .serialise: serialise
        case .total: total
        }
    }
}
