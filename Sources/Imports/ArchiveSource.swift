import Basics
import Experiments
import Registry

/// A store of another system that can be read as documents. Locations in its documents are its own.
public protocol ArchiveSource: Sendable {
    /// What it is and where, for people.
    var description: String { get }

    func experiments() async throws -> [SourceExperiment]

    /// How many runs there are in all; nil where that is not known before they are read.
    func runCount() async throws -> Int?

    /// Some runs of an experiment, deleted ones too, with all that was logged to them.
    /// - Parameter page: where to go on; nil for the beginning.
    func runs(of experiment: String, from page: String?) async throws -> SourcePage<ArchivedRun>

    /// Some logged models of an experiment.
    func loggedModels(of experiment: String, from page: String?) async throws -> SourcePage<ArchivedLoggedModel>

    /// Every registered model.
    func models() async throws -> [ArchivedModel]

    /// Whether what lies at a location is the source's own to give; what lies in S3 and the like stays there.
    func moves(_ location: String) -> Bool

    /// The files below a location that moves; none where there is no such folder.
    func files(below location: String, of owner: ArtifactOwner) async throws -> [SourceFile]

    func close() async
}

/// An experiment and what it is called where it comes from.
public struct SourceExperiment: Sendable {
    public var id: String
    public var experiment: ArchivedExperiment
}

/// A part of a long list.
public struct SourcePage<Item: Sendable>: Sendable {
    public var items: [Item]
    /// Where the next part begins; nil where this is the last.
    public var next: String?
}

/// Whose artifacts are looked at.
public enum ArtifactOwner: Sendable {
    case run(String)
    case loggedModel(String)
}

/// A file that can be read.
public struct SourceFile: Sendable {
    /// Below the location that was asked for.
    public var path: String
    public var read: @Sendable () async throws -> [UInt8]
}

/// What can go wrong while another store is read.
public enum ImportFailure: Failure {
    case unknownSource(String)
    case notFound(String)
    case malformed(place: String, reason: String)
    case noArtifacts(location: String)
    case refused(String, status: Int, text: String)

    public var code: FailureCode {
        switch self {
        case .unknownSource: .invalidArgument
        case .notFound: .notFound
        case .malformed: .dataLoss
        case .noArtifacts: .failedPrecondition
        case .refused(_, let status, _): status == 401 || status == 403 ? .permissionDenied : .unavailable
        }
    }

    public var message: String {
        switch self {
        case .unknownSource(let text): "'\(text)' is no store of MLflow"
        case .notFound(let path): "there is nothing at '\(path)'"
        case .malformed(let place, let reason): "\(place): \(reason)"
        case .noArtifacts(let location): "the artifacts at '\(location)' lie with the server that kept them"
        case .refused(let target, let status, let text): "\(target) was answered with \(status): \(text)"
        }
    }

    public var remedy: String? {
        switch self {
        case .unknownSource:
            "Give a database (sqlite:///path/mlflow.db), a folder (./mlruns) or a running server (http://host:5000)."
        case .notFound: "Check the path."
        case .malformed: "Repair it, or remove it from the store."
        case .noArtifacts:
            "Name the folder with --artifacts (the server's --artifacts-destination, often ./mlartifacts)."
        case .refused(_, let status, _):
            status == 401 || status == 403
                ? "Set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD." : nil
        }
    }
}
