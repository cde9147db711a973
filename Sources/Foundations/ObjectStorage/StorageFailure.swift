import Basics
import Foundation

/// What can go wrong with files: objects, atomic writes and record logs.
public enum StorageFailure: Failure, Hashable {
    case notFound(path: String)
    case objectNotFound(Digest)
    case diskFull(path: String)
    case denied(path: String, reason: String)
    case inUse(path: String)
    case inputOutput(action: String, path: String, reason: String)
    /// The stored bytes are not what was written.
    case damaged(path: String, offset: Int64, reason: String)
    case recordTooLarge(bytes: Int, limit: Int)
    case positionOutside(Int64, path: String)
    /// A failed write could not be undone, or a flush failed: the log takes no more records until it is opened anew.
    case unusable(path: String, reason: String)

    public var code: FailureCode {
        switch self {
        case .notFound, .objectNotFound: .notFound
        case .diskFull: .resourceExhausted
        case .denied: .permissionDenied
        case .inUse: .failedPrecondition
        case .damaged: .dataLoss
        case .recordTooLarge, .positionOutside: .invalidArgument
        case .unusable: .unavailable
        case .inputOutput: .internal
        }
    }

    public var message: String {
        switch self {
        case .notFound(let path): "there is no '\(path)'"
        case .objectNotFound(let digest): "there is no object \(digest)"
        case .diskFull(let path): "the disk is full, '\(path)' was not written"
        case .denied(let path, let reason): "'\(path)' can not be written or read: \(reason)"
        case .inUse(let path): "'\(path)' is in use by another process"
        case .inputOutput(let action, let path, let reason): "\(action) '\(path)' failed: \(reason)"
        case .damaged(let path, let offset, let reason): "'\(path)' is damaged at byte \(offset): \(reason)"
        case .recordTooLarge(let bytes, let limit): "a record of \(bytes) bytes is over the limit of \(limit)"
        case .positionOutside(let position, let path): "the log '\(path)' has no record at position \(position)"
        case .unusable(let path, let reason): "the log '\(path)' takes no more records: \(reason)"
        }
    }

    public var remedy: String? {
        switch self {
        case .diskFull: "Free some space, then try again; nothing needs repair"
        case .denied: "Give this user the right to read and write there, or choose another root"
        case .inUse: "Stop the other modelworks that works on this root"
        case .inputOutput: "Look at the system log for disk errors, then try again"
        case .damaged: "Restore the file from a backup"
        case .unusable: "Look at the system log for disk errors, then start again"
        default: nil
        }
    }

    /// The failure for the present `errno`. Call before anything else can change it.
    static func system(_ action: String, _ path: String, errno code: Int32 = errno) -> StorageFailure {
        let reason = String(cString: strerror(code))
        switch code {
        case ENOSPC, EDQUOT, EFBIG: return .diskFull(path: path)
        case ENOENT: return .notFound(path: path)
        case EACCES, EPERM, EROFS: return .denied(path: path, reason: reason)
        default: return .inputOutput(action: action, path: path, reason: reason)
        }
    }
}
