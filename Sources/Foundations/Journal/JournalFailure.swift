import Basics

/// What can go wrong with the journal beside its database.
public enum JournalFailure: Failure, Hashable {
    case body(type: String, reason: String)
    case emptyField(String)
    case damaged(sequence: Int64, reason: String)
    case limit(Int)
    /// The anchor can not be read or written.
    case anchor(place: String, reason: String)
    /// The anchor knows a later checkpoint than it is to remember.
    case anchorAhead(place: String, anchored: Int64, offered: Int64)
    /// The anchor knows entries that the journal lacks.
    case cutOff(entries: Int64, anchored: Int64)
    /// The anchor knows another hash of an entry than the journal.
    case forked(sequence: Int64, place: String)
    /// A checkpoint is not what a known key signed.
    case badCheckpoint(sequence: Int64, place: String)
    /// A keyring without a private key can not make checkpoints.
    case noSigner

    public var code: FailureCode {
        switch self {
        case .body, .emptyField, .limit: .invalidArgument
        case .damaged, .cutOff, .forked, .badCheckpoint: .dataLoss
        case .anchor: .unavailable
        case .anchorAhead, .noSigner: .failedPrecondition
        }
    }

    public var message: String {
        switch self {
        case .body(let type, let reason):
            "the body of the journal entry '\(type)' can not be written as JSON: \(reason)"
        case .emptyField(let name): "a journal entry needs a \(name)"
        case .damaged(let sequence, let reason): "the journal is damaged at entry \(sequence): \(reason)"
        case .limit(let limit): "\(limit) journal entries can not be read at once"
        case .anchor(let place, let reason): "the journal's anchor in \(place) can not be used: \(reason)"
        case .anchorAhead(let place, let anchored, let offered):
            "the journal's anchor in \(place) stands at entry \(anchored) and does not go back to \(offered)"
        case .cutOff(let entries, let anchored):
            "the end of the journal is cut off: it has \(entries) entries, its anchor tells of \(anchored)"
        case .forked(let sequence, let place):
            "the journal was written anew: entry \(sequence) has another hash than in \(place)"
        case .badCheckpoint(let sequence, let place):
            "the checkpoint of entry \(sequence) in \(place) was not signed by any known key"
        case .noSigner: "checkpoints of the journal can not be made without a private key"
        }
    }

    public var remedy: String? {
        switch self {
        case .damaged: "Compare with an exported copy; 'modelworks journal verify' shows where the chain breaks"
        case .limit: "Ask for at least one entry"
        case .anchor: "Check that it is there, that this user may use it, and that the disk is not full"
        case .anchorAhead, .cutOff, .forked:
            "Find out whether the database was put back from a copy; if so, move the anchor aside and keep it with the copy"
        case .badCheckpoint:
            "If the key was changed, or another process of the factory signs with its own, list that key's public line in the key file, or name one key file for all in MODELWORKS_JOURNAL_KEY_FILE"
        case .noSigner: "Give a key file that holds a private key"
        default: nil
        }
    }
}
