import Basics

/// What can go wrong with the journal beside its database.
public enum JournalFailure: Failure, Hashable {
    case body(type: String, reason: String)
    case emptyField(String)
    case damaged(sequence: Int64, reason: String)
    case limit(Int)

    public var code: FailureCode {
        switch self {
        case .body, .emptyField, .limit: .invalidArgument
        case .damaged: .dataLoss
        }
    }

    public var message: String {
        switch self {
        case .body(let type, let reason):
            "the body of the journal entry '\(type)' can not be written as JSON: \(reason)"
        case .emptyField(let name): "a journal entry needs a \(name)"
        case .damaged(let sequence, let reason): "the journal is damaged at entry \(sequence): \(reason)"
        case .limit(let limit): "\(limit) journal entries can not be read at once"
        }
    }

    public var remedy: String? {
        switch self {
        case .damaged: "Compare with an exported copy; 'modelworks journal verify' shows where the chain breaks"
        case .limit: "Ask for at least one entry"
        default: nil
        }
    }
}
