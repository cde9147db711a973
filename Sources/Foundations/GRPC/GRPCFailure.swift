import Basics

/// What can go wrong in a call before and beside its handler.
public enum GRPCFailure: Failure, Equatable {
    /// No service has a method of this path.
    case unknownMethod(String)
    /// A message is compressed in a way that is not known here.
    case unknownEncoding(String)
    /// A message is larger than this server takes, in bytes.
    case messageTooLarge(limit: Int)
    /// The messages that wait on one connection take more memory than it may have.
    case connectionFull
    /// What came is no message, and why.
    case badMessage(String)
    /// A message can not be unpacked, and why.
    case badCompression(String)
    /// The deadline of the client has passed.
    case deadlineExceeded
    /// The message did not come in time.
    case tooSlow
    /// The client has given the call up, or its connection is lost.
    case peerGone
    /// The call has been answered before.
    case answered
    /// The handler let go of a call without an answer.
    case forgotten
    /// Who asks has to be looked up again.
    case accessUnknown

    public var code: FailureCode {
        switch self {
        case .unknownMethod, .unknownEncoding: .notFound
        case .messageTooLarge, .connectionFull: .resourceExhausted
        case .badMessage, .badCompression, .forgotten: .internal
        case .deadlineExceeded, .tooSlow: .deadlineExceeded
        case .peerGone, .accessUnknown: .unavailable
        case .answered: .failedPrecondition
        }
    }

    public var message: String {
        switch self {
        case .unknownMethod(let path): "no service here has the method '\(path)'"
        case .unknownEncoding(let name): "messages compressed by '\(name)' can not be read"
        case .messageTooLarge(let limit): "the message is larger than the \(limit) bytes that this server takes"
        case .connectionFull: "the messages that wait on this connection take more memory than it may have"
        case .badMessage(let reason): "the message can not be read: \(reason)"
        case .badCompression(let reason): "the message can not be unpacked: \(reason)"
        case .deadlineExceeded: "the call was not done within its deadline"
        case .tooSlow: "the message did not come in time"
        case .peerGone: "the client has given the call up"
        case .answered: "the call has been answered before"
        case .forgotten: "the handler ended without an answer"
        case .accessUnknown: "it has to be looked up again who sends the call"
        }
    }

    public var remedy: String? {
        switch self {
        case .unknownEncoding: "Send them as they are, or compress them by gzip"
        case .messageTooLarge: "Send less at a time"
        case .connectionFull: "Send fewer large messages at once, or open more connections"
        case .accessUnknown: "Try again"
        default: nil
        }
    }
}
