import Basics

/// What can go wrong with event streams.
public enum StreamFailure: Failure, Hashable {
    case unknownTopic(String)

    public var code: FailureCode {
        switch self {
        case .unknownTopic: .notFound
        }
    }

    public var message: String {
        switch self {
        case .unknownTopic(let name): "there is no topic '\(name)'"
        }
    }
}
