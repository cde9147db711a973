import Basics

/// What can go wrong with keys, signatures and sealed bytes.
public enum SealingFailure: Failure, Hashable {
    /// The bytes were sealed with another key, or are not what was sealed.
    case notAuthentic(String)
    /// The bytes do not start as sealed bytes do.
    case notSealed(String)
    /// Sealed by a later version of this program.
    case version(Int, of: String)
    /// The key that sealed the bytes is not in the keyring.
    case unknownKey(String, of: String)
    /// A key file, variable or text holds no usable key.
    case badKey(String, reason: String)
    /// Other users of the machine may read a file that holds a key.
    case exposed(path: String, mode: UInt32)
    /// A file could not be read or written.
    case file(path: String, reason: String)
    /// The library could not be started or gave no memory.
    case unusable(reason: String)

    public var code: FailureCode {
        switch self {
        case .notAuthentic, .notSealed: .dataLoss
        case .version, .unknownKey, .badKey, .exposed: .failedPrecondition
        case .file, .unusable: .unavailable
        }
    }

    public var message: String {
        switch self {
        case .notAuthentic(let what): "\(what) can not be opened: it was sealed with another key or was changed"
        case .notSealed(let what): "\(what) can not be opened: it is not sealed"
        case .version(let version, let what):
            "\(what) can not be opened: it was sealed in version \(version) of the form, this program knows 1"
        case .unknownKey(let id, let what): "\(what) can not be opened: the key '\(id)' that sealed it is not here"
        case .badKey(let origin, let reason): "the key in \(origin) can not be used: \(reason)"
        case .exposed(let path, let mode):
            "the key file '\(path)' can be read by other users: its mode is \(String(mode, radix: 8))"
        case .file(let path, let reason): "the file '\(path)' can not be used: \(reason)"
        case .unusable(let reason): "sealing and signing do not work on this machine: \(reason)"
        }
    }

    public var remedy: String? {
        switch self {
        case .notAuthentic: "Put it back from a copy; if keys were changed, check that the key of that time is listed"
        case .notSealed: "Check that this is the right file and that it was not truncated"
        case .version: "Open it with the release that wrote it, or a later one"
        case .unknownKey(let id, _): "Add the line of the key '\(id)' to the keyring, below the first line"
        case .badKey: nil
        case .exposed(let path, _): "Run: chmod 600 '\(path)'"
        case .file: "Check that the path is right, that this user may use it, and that the disk is not full"
        case .unusable: "Check the memory that may be locked (ulimit -l) and that libsodium is installed"
        }
    }
}
