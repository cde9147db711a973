import Basics

/// What can go wrong with runs and their records.
public enum ExperimentsFailure: Failure {
    case unknownRun(String)
    case runEnded(String, RunStatus)

    public var code: FailureCode {
        switch self {
        case .unknownRun: .notFound
        case .runEnded: .failedPrecondition
        }
    }

    public var message: String {
        switch self {
        case .unknownRun(let id): "there is no run '\(id)'"
        case .runEnded(let id, let status): "the run '\(id)' has ended (\(status.rawValue)) and takes no more records"
        }
    }

    public var remedy: String? {
        switch self {
        case .unknownRun: "List them with 'modelworks runs'."
        case .runEnded: "Start a new run."
        }
    }
}
