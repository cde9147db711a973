import Basics
import HTTP

/// How a call ended, as its client is told.
public struct GRPCStatus: Error, Sendable, Equatable {
    /// The codes of gRPC, by their numbers on the wire.
    public enum Code: Int, Sendable, CaseIterable {
        case ok = 0
        case cancelled = 1
        case unknown = 2
        case invalidArgument = 3
        case deadlineExceeded = 4
        case notFound = 5
        case alreadyExists = 6
        case permissionDenied = 7
        case resourceExhausted = 8
        case failedPrecondition = 9
        case aborted = 10
        case outOfRange = 11
        case unimplemented = 12
        case `internal` = 13
        case unavailable = 14
        case dataLoss = 15
        case unauthenticated = 16

        /// Such as `NOT_FOUND`.
        public var name: String {
            "\(self)".reduce(into: "") { text, letter in
                text += letter.isUppercase ? "_\(letter)" : letter.uppercased()
            }
        }
    }

    public let code: Code
    /// One sentence, followed by what to do about it where there is something.
    public let message: String
    /// Seconds after which the client may try again; nil where nothing is said of it.
    public let retrySeconds: Int?

    public init(_ code: Code, _ message: String = "", retrySeconds: Int? = nil) {
        self.code = code
        self.message = message
        self.retrySeconds = retrySeconds
    }

    /// What is told of an error. One that is neither a status nor a `Failure` is told as an internal error without its
    /// text, which may hold what is not for everybody.
    public init(_ error: any Error, requestID: String) {
        switch error {
        case let status as GRPCStatus: self = status
        case GRPCFailure.unknownMethod, GRPCFailure.unknownEncoding:
            self.init(.unimplemented, "\(error)")
        case GRPCFailure.peerGone, is CancellationError: self.init(.cancelled, "the call was cancelled")
        case HTTPFailure.unauthenticated: self.init(.unauthenticated, HTTPProblem(error, requestID: requestID).text)
        default:
            let problem = HTTPProblem(error, requestID: requestID)
            self.init(
                Code(problem.code), problem.text,
                retrySeconds: (error as? any HeadedFailure)?.headers["Retry-After"].flatMap { Int($0) })
        }
    }
}

extension GRPCStatus.Code {
    /// The code for each kind of failure.
    public init(_ code: FailureCode) {
        self =
            switch code {
            case .invalidArgument: .invalidArgument
            case .notFound: .notFound
            case .alreadyExists: .alreadyExists
            case .failedPrecondition: .failedPrecondition
            case .permissionDenied: .permissionDenied
            case .resourceExhausted: .resourceExhausted
            case .unavailable: .unavailable
            case .deadlineExceeded: .deadlineExceeded
            case .dataLoss: .dataLoss
            case .internal: .internal
            }
    }
}
