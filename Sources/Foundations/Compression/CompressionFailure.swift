import Basics

/// What can go wrong with compressed bytes.
public enum CompressionFailure: Failure, Equatable {
    /// They are not what their format asks for, and how.
    case malformed(String)
    /// They are more than the limit once they are laid out.
    case tooLong(limit: Int)
    case outOfMemory

    public var code: FailureCode {
        switch self {
        case .malformed: .invalidArgument
        case .tooLong, .outOfMemory: .resourceExhausted
        }
    }

    public var message: String {
        switch self {
        case .malformed(let reason): "the compressed bytes can not be read: \(reason)"
        case .tooLong(let limit): "decompressed they are more than the \(limit) bytes allowed"
        case .outOfMemory: "no memory is left to compress or decompress"
        }
    }
}
