import Basics

/// What can go wrong when what is no longer needed is removed.
public enum UpkeepFailure: Failure {
    case isCollecting
    case beingRemoved(Digest)

    public var code: FailureCode {
        switch self {
        case .isCollecting: .failedPrecondition
        case .beingRemoved: .unavailable
        }
    }

    public var message: String {
        switch self {
        case .isCollecting: "another collection is under way"
        case .beingRemoved(let digest): "the object \(digest.short) is being removed just now"
        }
    }

    public var remedy: String? {
        switch self {
        case .isCollecting: "Wait for its end."
        case .beingRemoved: "Try again."
        }
    }
}
