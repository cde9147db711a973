import Basics

/// What can go wrong with a key-value store.
public enum KeyValueFailure: Failure, Hashable {
    case cannotOpen(path: String, reason: String)
    case mapFull(path: String, limitBytes: Int)
    case diskFull(path: String)
    case denied(path: String, reason: String)
    case corrupt(path: String, reason: String)
    case keyLength(bytes: Int, limit: Int)
    case tooManyReaders(path: String)
    case tooManyTables(path: String)
    case unknownTable(name: String)
    case mapGrown(path: String)
    case engine(path: String, action: String, reason: String)

    public var code: FailureCode {
        switch self {
        case .cannotOpen: .failedPrecondition
        case .mapFull, .diskFull, .tooManyReaders, .tooManyTables: .resourceExhausted
        case .denied: .permissionDenied
        case .corrupt: .dataLoss
        case .keyLength: .invalidArgument
        case .unknownTable: .notFound
        case .mapGrown: .unavailable
        case .engine: .internal
        }
    }

    public var message: String {
        switch self {
        case .cannotOpen(let path, let reason): "the key-value store '\(path)' can not be opened: \(reason)"
        case .mapFull(let path, let limit): "the key-value store '\(path)' has reached its limit of \(limit) bytes"
        case .diskFull(let path): "the disk is full, the change to the key-value store '\(path)' was not made"
        case .denied(let path, let reason): "the key-value store '\(path)' can not be written or read: \(reason)"
        case .corrupt(let path, let reason): "the key-value store '\(path)' is damaged: \(reason)"
        case .keyLength(let bytes, let limit): "a key has \(bytes) bytes, it must have 1 to \(limit)"
        case .tooManyReaders(let path): "too many processes and threads read the key-value store '\(path)' at once"
        case .tooManyTables(let path): "the key-value store '\(path)' has no room for another table"
        case .unknownTable(let name): "the table '\(name)' was not opened in this key-value store"
        case .mapGrown(let path): "another process has enlarged the key-value store '\(path)'"
        case .engine(let path, let action, let reason): "\(action) in the key-value store '\(path)' failed: \(reason)"
        }
    }

    public var remedy: String? {
        switch self {
        case .cannotOpen: "Check that the folder exists and that this user may read and write it"
        case .mapFull: "Delete entries that have expired, or open the store with a larger limit"
        case .diskFull: "Free some space, then try again; nothing needs repair"
        case .denied: "Give this user the right to read and write there, or choose another root"
        case .corrupt: "Delete the store's folder and fill it again from the offline store"
        case .tooManyReaders: "Stop other processes that work on this root"
        case .mapGrown: "Try again"
        default: nil
        }
    }
}
