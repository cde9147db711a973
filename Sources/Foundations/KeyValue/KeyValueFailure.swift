import Basics

/// What can go wrong with a key-value store.
public enum KeyValueFailure: Failure, Hashable {
    case cannotOpen(path: String, reason: String)
    case mapFull(path: String, limitBytes: Int)
    case diskFull(path: String)
    case denied(path: String, reason: String)
    case corrupt(path: String, reason: String)
    case keyLength(bytes: Int, limit: Int)
    /// A value of a row that is to be compared by its stamp.
    case valueLength(bytes: Int, minimum: Int, limit: Int)
    /// Where a sweep is to go on was not told by a sweep of this store.
    case position(store: String)
    case tooManyReaders(path: String)
    case tooManyTables(path: String)
    case unknownTable(name: String)
    case mapGrown(path: String)
    case engine(path: String, action: String, reason: String)
    /// The server can not be reached now.
    case unreachable(store: String, reason: String)
    case timedOut(store: String, milliseconds: Int)
    /// The server does not take our name, password or certificate, or does not let this user do it.
    case refused(store: String, reason: String)
    /// A passing state of the server, such as loading its data or electing a master.
    case busy(store: String, reason: String)
    case tooOld(store: String, version: String, minimum: String)
    case replyTooLarge(store: String, limitBytes: Int)
    case memoryFull(store: String)
    /// Others changed what a change had read each time it was tried.
    case conflict(store: String, attempts: Int)
    /// The connection was lost after a change was sent and before it was acknowledged.
    case inDoubt(store: String)
    case misconfigured(store: String, reason: String)
    case closed(store: String)

    public var code: FailureCode {
        switch self {
        case .cannotOpen: .failedPrecondition
        case .mapFull, .diskFull, .tooManyReaders, .tooManyTables: .resourceExhausted
        case .denied: .permissionDenied
        case .corrupt: .dataLoss
        case .keyLength, .valueLength, .position: .invalidArgument
        case .unknownTable: .notFound
        case .mapGrown: .unavailable
        case .engine: .internal
        case .unreachable, .busy, .inDoubt, .conflict: .unavailable
        case .timedOut: .deadlineExceeded
        case .refused: .permissionDenied
        case .tooOld, .misconfigured, .closed: .failedPrecondition
        case .replyTooLarge, .memoryFull: .resourceExhausted
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
        case .valueLength(let bytes, let minimum, let limit):
            "a value has \(bytes) bytes, with its stamp it must have \(minimum) to \(limit)"
        case .position(let store): "the place where a sweep is to go on is not one of the key-value store '\(store)'"
        case .tooManyReaders(let path): "too many processes and threads read the key-value store '\(path)' at once"
        case .tooManyTables(let path): "the key-value store '\(path)' has no room for another table"
        case .unknownTable(let name): "the table '\(name)' was not opened in this key-value store"
        case .mapGrown(let path): "another process has enlarged the key-value store '\(path)'"
        case .engine(let path, let action, let reason): "\(action) in the key-value store '\(path)' failed: \(reason)"
        case .unreachable(let store, let reason): "the key-value store '\(store)' can not be reached: \(reason)"
        case .timedOut(let store, let milliseconds):
            "the key-value store '\(store)' gave no answer within \(milliseconds) ms"
        case .refused(let store, let reason): "the key-value store '\(store)' refuses us: \(reason)"
        case .busy(let store, let reason): "the key-value store '\(store)' can not answer now: \(reason)"
        case .tooOld(let store, let version, let minimum):
            "the key-value store '\(store)' is Redis \(version), it must be \(minimum) or newer"
        case .replyTooLarge(let store, let limit):
            "a reply of the key-value store '\(store)' has more than \(limit) bytes"
        case .memoryFull(let store): "the key-value store '\(store)' has no memory left, the change was not made"
        case .conflict(let store, let attempts):
            "a change to the key-value store '\(store)' was given up after \(attempts) conflicts with others"
        case .inDoubt(let store):
            "the connection to the key-value store '\(store)' was lost during a change, which was made or was not"
        case .misconfigured(let store, let reason): "the key-value store '\(store)' can not be used: \(reason)"
        case .closed(let store): "the key-value store '\(store)' has been closed"
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
        case .position: "Begin the sweep from the start"
        case .mapGrown, .busy, .conflict: "Try again"
        case .unreachable: "Check its host and port and that the server runs; we try again by ourselves"
        case .timedOut: "Check the server's load and the network, or set a larger timeout_ms"
        case .refused: "Check user, password, certificates and the rights of the user in the server's ACL"
        case .tooOld: "Upgrade the server"
        case .replyTooLarge: "Set a larger reply_limit_mb, or store smaller values"
        case .memoryFull: "Raise the server's maxmemory, or delete entries that have expired"
        case .inDoubt: "Read what is there, then make the change again if it is missing"
        case .misconfigured: "Correct the store's address or the server's settings"
        default: nil
        }
    }
}
