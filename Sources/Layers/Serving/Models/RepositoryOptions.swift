import Basics
import Inference
import Telemetry

/// Who decides which models of a folder are served.
public enum ModelControl: String, Sendable, CaseIterable {
    /// All that were there at the start, and nothing changes.
    case none
    /// What is in the folder, looked at again and again.
    case poll
    /// Callers, by the repository extension of the protocol.
    case explicit
}

/// Where a repository gets its models from, and how it keeps them.
public struct RepositoryOptions: Sendable {
    /// Loads a model from a file or folder. Called on a thread of its own; may block.
    public typealias Loader = @Sendable (_ path: String) throws -> any TensorModel

    /// Nil for a repository that has only what is registered by hand.
    public var folder: String?
    public var control = ModelControl.none
    /// What is loaded at the start where callers decide; nil for nothing.
    public var loadedAtStart: [String] = []
    /// Bytes that models may take together; nil for as many as they are.
    public var memoryBytes: Int?
    /// How a model is served that says nothing.
    public var standard = ModelConfiguration()
    /// How many processes a model has that is run by its own, where its configuration does not say; nil for one.
    public var processes: ScalingPolicy?
    /// Where requests are kept; nil for nowhere.
    public var records: RequestRecords?
    /// Why a name may not be served, such as that something else has it; nil where it may. Asked when a model is loaded.
    public var refuse: @Sendable (_ name: String) -> String? = { _ in nil }
    /// What loads a model's files elsewhere before they are loaded here; nil for nothing.
    public var trial: ModelTrial?
    public var load: Loader = { try ModelFolder.load(at: $0) }
    /// Told of everything that happens to a version, on the thread where it happens.
    public var onChange: @Sendable (ModelChange) -> Void = { _ in }

    public init(folder: String? = nil, control: ModelControl = .none) {
        self.folder = folder
        self.control = control
    }
}

/// What happened to a version of a model.
public enum ModelChange: Sendable {
    /// It answers now.
    case loaded(ServedModel, seconds: Double)
    case failed(name: String, version: String, reason: String)
    case unloaded(name: String, version: String)
    /// Something of its configuration has no meaning here.
    case warning(name: String, String)
}
