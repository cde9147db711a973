import Inference

/// The model that a stream is scored with, and what its answers say of it.
public struct StreamModel: Sendable {
    public let name: String
    public let version: String
    public let model: any TensorModel
    /// Where features come from that events do not carry; nil where they carry all.
    public let join: FeatureJoin?

    public init(name: String, version: String, model: any TensorModel, join: FeatureJoin? = nil) {
        self.name = name
        self.version = version
        self.model = model
        self.join = join
    }
}

/// Tells the model of the next batch: the same one, or another once that is to answer. Asked before every batch, so it keeps
/// what it has loaded.
public typealias StreamModelSource = @Sendable () async throws -> StreamModel
