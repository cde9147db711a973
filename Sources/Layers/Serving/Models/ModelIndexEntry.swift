/// A version of a model as the index of a repository shows it.
public struct ModelIndexEntry: Sendable, Codable, Equatable {
    public var name: String
    /// Empty where no version could be found.
    public var version: String
    public var state: State
    /// Why it is in that state; empty where there is nothing to say.
    public var reason: String

    public enum State: String, Sendable, Codable {
        case ready = "READY"
        case unavailable = "UNAVAILABLE"
        case loading = "LOADING"
        case unloading = "UNLOADING"
    }

    public init(name: String, version: String, state: State, reason: String = "") {
        self.name = name
        self.version = version
        self.state = state
        self.reason = reason
    }
}

/// What a caller loads in place of what the repository's folder has.
public struct ModelOverride: Sendable, Equatable {
    /// The configuration as JSON text, in the words of Triton's `ModelConfig`.
    public var configuration: String?
    /// Bytes of files by their path below the model's folder, such as `1/model.onnx`.
    public var files: [String: [UInt8]]

    public init(configuration: String? = nil, files: [String: [UInt8]] = [:]) {
        self.configuration = configuration
        self.files = files
    }
}
