/// What a store tells about itself after a probe was written, read and removed.
public struct StoreReport: Sendable, Hashable {
    /// `file` or `s3`.
    public let engine: String
    /// Where the store is, without any secret.
    public let place: String
    /// How long writing, reading and removing a small probe took together.
    public let seconds: Double
    /// The store's clock minus ours in seconds; nil where both are the same clock.
    public var clockSkewSeconds: Double?
    /// Whether the store keeps old versions of what is replaced; nil where it does not tell.
    public var keepsVersions: Bool?
    /// Bytes that are free where the store writes; nil where there is no such limit.
    public var freeBytes: Int64?
    /// Whether a document can be replaced only if nobody else replaced it before, in one step.
    public var replacesConditionally = true
    /// What a person should know though the store works, each one sentence.
    public var warnings: [String] = []

    init(engine: String, place: String, seconds: Double) {
        self.engine = engine
        self.place = place
        self.seconds = seconds
    }
}
