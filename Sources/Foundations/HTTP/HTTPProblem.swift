import Basics

/// A failure that says more in the header of its answer, such as when to try again.
public protocol HeadedFailure: Failure {
    var headers: HTTPHeaders { get }
}

/// An error on its way to a client, before a protocol gives it a body.
public struct HTTPProblem: Sendable {
    public let status: HTTPStatus
    public let code: FailureCode
    /// One sentence without a full stop.
    public let message: String
    public let remedy: String?
    public let requestID: String
    /// What stands in the header of the answer beside its shape.
    public let headers: HTTPHeaders

    /// Message and remedy as one text.
    public var text: String {
        guard let remedy else { return message }
        return message.hasSuffix(".") ? "\(message) \(remedy)" : "\(message). \(remedy)"
    }

    /// What is told of an error. One that is no `Failure` is told as an internal error without its text, which may
    /// hold what is not for everybody.
    public init(_ error: any Error, requestID: String) {
        self.requestID = requestID
        headers = HTTPProblem.headers(error)
        switch error {
        case let failure as any Failure:
            code = failure.code
            message = failure.message
            remedy = failure.remedy
            if case HTTPFailure.methodNotAllowed = error {
                status = .methodNotAllowed
            } else if case HTTPFailure.unauthenticated = error {
                status = .unauthorized
            } else {
                status = HTTPProblem.status(for: failure.code)
            }
        case is CancellationError:
            (code, status) = (.unavailable, .serviceUnavailable)
            message = "the request was cancelled before it was done"
            remedy = "Try again"
        default:
            (code, status) = (.internal, .internalServerError)
            message = "the request failed inside the server"
            remedy = "Look for request \(requestID) in the server's log"
        }
    }

    private static func headers(_ error: any Error) -> HTTPHeaders {
        if let failure = error as? any HeadedFailure { return failure.headers }
        guard let failure = error as? any Failure, status(for: failure.code) == .tooManyRequests else { return [:] }
        return ["Retry-After": "1"]
    }

    /// The status for each kind of failure.
    public static func status(for code: FailureCode) -> HTTPStatus {
        switch code {
        case .invalidArgument: .badRequest
        case .notFound: .notFound
        case .alreadyExists: .conflict
        case .failedPrecondition: .preconditionFailed
        case .permissionDenied: .forbidden
        case .resourceExhausted: .tooManyRequests
        case .unavailable: .serviceUnavailable
        case .deadlineExceeded: .gatewayTimeout
        case .dataLoss, .internal: .internalServerError
        }
    }

    /// `{"code":"NOT_FOUND","error":"message. remedy"}`: the shape of everything that has none of its own.
    public var standardResponse: HTTPResponse {
        let body: JSONValue = .object(["error": .string(text), "code": .string(code.rawValue)])
        let bytes = (try? JSON.canonical(body)) ?? Array(#"{"code":"INTERNAL"}"#.utf8)
        return .bytes(bytes, contentType: "application/json", status: status)
    }
}
