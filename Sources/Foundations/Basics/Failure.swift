/// The kind of a failure, shared by all rooms so that each protocol maps it to its own status once.
public enum FailureCode: String, Sendable, Codable, CaseIterable {
    /// The caller sent something that can never work as it is.
    case invalidArgument = "INVALID_ARGUMENT"
    case notFound = "NOT_FOUND"
    case alreadyExists = "ALREADY_EXISTS"
    /// The request is well formed but the state of the system does not allow it.
    case failedPrecondition = "FAILED_PRECONDITION"
    case permissionDenied = "PERMISSION_DENIED"
    /// A limit (size, rate, disk, queue) was reached.
    case resourceExhausted = "RESOURCE_EXHAUSTED"
    /// Passing: the same request may work later.
    case unavailable = "UNAVAILABLE"
    case deadlineExceeded = "DEADLINE_EXCEEDED"
    /// Stored bytes are not what was written.
    case dataLoss = "DATA_LOSS"
    case `internal` = "INTERNAL"
}

/// What every error of Modelworks can tell: its kind, what happened and where, and what to do about it.
///
/// Each room has an error type of its own that conforms. `message` is one sentence without a trailing full stop;
/// `remedy` is the next step for the person who reads it, or nil where there is none to give.
public protocol Failure: Error, CustomStringConvertible {
    var code: FailureCode { get }
    var message: String { get }
    var remedy: String? { get }
}

extension Failure {
    public var remedy: String? { nil }

    public var description: String {
        guard let remedy else { return message }
        return "\(message). \(remedy)"
    }
}
