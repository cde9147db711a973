import Basics
import CLMDB
import Foundation

/// What can go wrong in a key-value store.
public enum KeyValueFailure: Failure, Hashable {
    case full(path: String)
    case diskFull(path: String)
    case keyTooLong(bytes: Int, most: Int)
    case unusable(path: String, reason: String)
    case closed(path: String)

    init(_ status: Int32, path: String) {
        switch status {
        case MDB_MAP_FULL: self = .full(path: path)
        case ENOSPC: self = .diskFull(path: path)
        default: self = .unusable(path: path, reason: String(cString: mdb_strerror(status)))
        }
    }

    public var code: FailureCode {
        switch self {
        case .full, .diskFull: .resourceExhausted
        case .keyTooLong: .invalidArgument
        case .unusable, .closed: .unavailable
        }
    }

    public var message: String {
        switch self {
        case .full(let path): "the key-value store \(path) has reached its size limit"
        case .diskFull(let path): "the disk that holds the key-value store \(path) is full"
        case .keyTooLong(let bytes, let most): "a key has \(bytes) bytes; keys have 1 to \(most)"
        case .unusable(let path, let reason): "the key-value store \(path) can not be used: \(reason)"
        case .closed(let path): "the key-value store \(path) is closed"
        }
    }

    public var remedy: String? {
        switch self {
        case .full: "Open it with a larger map size."
        case .diskFull: "Free some space; what was stored before is still there."
        case .keyTooLong, .closed: nil
        case .unusable: "Check the folder's rights and that no older program has it open."
        }
    }
}
