/// One request as it ended: what access logs and traces tell of it.
public struct RequestRecord: Sendable {
    /// Such as `HTTP/1.1` or `gRPC`.
    public var scheme: String
    public var method: String
    /// The path without its query, at most ``pathMax`` bytes of it.
    public var path: String
    /// The pattern that answered, such as `/v2/models/{name}/infer`; empty where none did.
    public var route = ""
    /// The address of the peer, without its port.
    public var remote: String
    /// What its answer named it by.
    public var requestID: String
    /// Who asked; nil where nobody looked.
    public var principal: String?
    /// What the caller says of itself.
    public var agent: String?
    /// The `traceparent` that came with it, unread (W3C Trace Context).
    public var trace: String?
    /// The status of HTTP, or the number of gRPC's.
    public var status = 0
    /// Bytes of the answer's body; nil where it was streamed.
    public var bytes: Int?
    /// On the monotonic clock, in nanoseconds.
    public var start: UInt64
    public var nanoseconds: UInt64 = 0
    /// Where whoever answers it says how.
    public let notes: RequestNotes

    /// More of a path is not kept.
    public static let pathMax = 1024

    public init(
        scheme: String, method: String, path: String, remote: String, requestID: String, start: UInt64,
        notes: RequestNotes = RequestNotes()
    ) {
        self.notes = notes
        self.scheme = scheme
        self.method = method
        self.path = path
        self.remote = remote
        self.requestID = requestID
        self.start = start
    }

    /// Whether the server is to blame for how it ended.
    public var hasFailed: Bool {
        // gRPC: UNKNOWN, INTERNAL, UNAVAILABLE and DATA_LOSS.
        scheme == "gRPC" ? [2, 13, 14, 15].contains(status) : status >= 500
    }
}

/// Is told of every request of a server when it has been answered.
public protocol RequestObserver: Sendable {
    /// Called on the thread that answered: it must not block.
    func ended(_ record: RequestRecord)
}

/// Several that are told of the same requests.
public struct RequestObservers: RequestObserver {
    private let all: [any RequestObserver]

    /// Nil where there are none: then nobody need be told.
    public init?(_ all: [any RequestObserver]) {
        guard !all.isEmpty else { return nil }
        self.all = all
    }

    public func ended(_ record: RequestRecord) { for observer in all { observer.ended(record) } }
}
