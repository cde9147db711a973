import Basics

/// What can go wrong with a tar file.
public enum ArchiveFailure: Failure {
    /// The library could not do it.
    case failed(String)
    /// It is no tar file, or a damaged one.
    case damaged(String)
    /// It holds something that is no plain file.
    case notAFile(String)
    case tooLarge(limit: Int)

    public var code: FailureCode {
        switch self {
        case .failed: .internal
        case .damaged, .notAFile: .invalidArgument
        case .tooLarge: .resourceExhausted
        }
    }

    public var message: String {
        switch self {
        case .failed(let reason): "the archive can not be written: \(reason)"
        case .damaged(let reason): "the archive can not be read: \(reason)"
        case .notAFile(let name): "'\(name)' in the archive is no plain file"
        case .tooLarge(let limit): "the archive holds more than \(limit) bytes"
        }
    }
}
