import Basics
import Foundation

/// What can go wrong with objects, documents, atomic writes and record logs, on files and in S3.
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
    /// The file changed while it was being stored.
    case changed(path: String)
    /// The store was closed before the call.
    case closed(store: String)
    /// The server could not be reached or went away, each time that was tried.
    case unreachable(store: String, action: String, reason: String)
    /// The server's certificate is not one that is trusted.
    case untrusted(store: String, reason: String)
    /// The server answered, each time that was tried, that it can not now.
    case overloaded(store: String, action: String, reason: String)
    case timedOut(store: String, action: String)
    /// The server knows us and does not let us, or does not know us.
    case refused(store: String, action: String, reason: String)
    case noBucket(store: String)
    /// The server answered something that is no answer to the question.
    case badAnswer(store: String, action: String, reason: String)
    case noCredentials(store: String, reason: String)
    /// Somebody else replaced the document since it was read, or it is there though it must not be.
    case conflict(document: String)
    case documentName(String)

    public var code: FailureCode {
        switch self {
        case .notFound, .objectNotFound: .notFound
        case .diskFull: .resourceExhausted
        case .denied, .refused: .permissionDenied
        case .inUse, .changed, .closed, .untrusted, .noBucket, .noCredentials, .conflict: .failedPrecondition
        case .damaged: .dataLoss
        case .recordTooLarge, .positionOutside, .documentName: .invalidArgument
        case .unusable, .unreachable, .overloaded: .unavailable
        case .timedOut: .deadlineExceeded
        case .inputOutput, .badAnswer: .internal
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
        case .changed(let path): "'\(path)' changed while it was being stored"
        case .closed(let store): "the store '\(store)' is closed"
        case .unreachable(let store, let action, let reason): "\(action) '\(store)' failed: \(reason)"
        case .untrusted(let store, let reason): "the certificate of '\(store)' is not trusted: \(reason)"
        case .overloaded(let store, let action, let reason): "\(action) '\(store)' was put off: \(reason)"
        case .timedOut(let store, let action): "\(action) '\(store)' took longer than is allowed"
        case .refused(let store, let action, let reason): "\(action) '\(store)' was refused: \(reason)"
        case .noBucket(let store): "there is no bucket '\(store)'"
        case .badAnswer(let store, let action, let reason): "\(action) '\(store)' got a wrong answer: \(reason)"
        case .noCredentials(let store, let reason): "the store '\(store)' can not be opened: \(reason)"
        case .conflict(let document): "the document '\(document)' was changed by somebody else"
        case .documentName(let name): "'\(name)' is no name for a document"
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
        case .changed: "Store it again when nothing writes to it any more"
        case .unreachable: "Check the address and the network, and that the server runs"
        case .untrusted: "Name the authority that signed it with ca_file=PATH in the store's address"
        case .overloaded, .timedOut: "Try again later; if it stays so, look at the server and the network"
        case .refused: "Check the access key, the secret key, the region, and what this key may do"
        case .noBucket: "Make the bucket, or correct its name in the store's address"
        case .badAnswer: "Check that the address is that of an S3 service"
        case .noCredentials:
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or add access_key_env=, secret_key_env= (or _file=)"
        case .conflict: "Read it again and decide anew"
        case .documentName: "Use letters, digits, '-', '_', '.' and '/', at most 200 characters"
        default: nil
        }
    }

    static func tampered(_ path: String) -> StorageFailure {
        .damaged(path: path, offset: 0, reason: "its bytes are not those it is named by")
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
