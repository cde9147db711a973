import Basics

/// What can go wrong with queued jobs.
public enum JobFailure: Failure, Hashable {
    case unknownJob(String)

    public var code: FailureCode {
        switch self {
        case .unknownJob: .notFound
        }
    }

    public var message: String {
        switch self {
        case .unknownJob(let id): "there is no job '\(id)'"
        }
    }
}
