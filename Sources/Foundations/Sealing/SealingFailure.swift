import Basics

/// What can go wrong with keys, signatures and sealed bytes.
public enum SealingFailure: Failure, Hashable {
    /// The bytes were sealed with another key, or are not what was sealed.
    case notAuthentic(String)

    public var code: FailureCode {
        switch self {
        case .notAuthentic: .dataLoss
        }
    }

    public var message: String {
        switch self {
        case .notAuthentic(let what): "\(what) can not be opened: it was sealed with another key or was changed"
        }
    }
}
