import Basics

/// What can go wrong in telling how things are.
public enum TelemetryFailure: Failure, Equatable {
    /// The log file at a path can not be opened, and why.
    case logFile(String, String)

    public var code: FailureCode { .failedPrecondition }

    public var message: String {
        switch self {
        case .logFile(let path, let reason): "the log file '\(path)' can not be opened for writing: \(reason)"
        }
    }

    public var remedy: String? { "Make its folder writable or choose another path" }
}
