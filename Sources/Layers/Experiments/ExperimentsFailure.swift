import Basics

/// What can go wrong with runs and their records.
public enum ExperimentsFailure: Failure {
    case unknownRun(String)
    case runEnded(String, RunStatus)
    case unknownArtifact(run: String, path: String)

    public var code: FailureCode {
        switch self {
        case .unknownRun, .unknownArtifact: .notFound
        case .runEnded: .failedPrecondition
        }
    }

    public var message: String {
        switch self {
        case .unknownRun(let id): "there is no run '\(id)'"
        case .runEnded(let id, let status): "the run '\(id)' has ended (\(status.rawValue)) and takes no more records"
        case .unknownArtifact(let run, let path): "the run '\(run)' has no artifact '\(path)'"
        }
    }

    public var remedy: String? {
        switch self {
        case .unknownRun: "List them with 'modelworks runs'."
        case .runEnded: "Start a new run."
        case .unknownArtifact: "See 'modelworks runs RUN' for its artifacts."
        }
    }
}
