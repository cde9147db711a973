import Basics
import Documents
import Experiments
import HTTP

/// An error as MLflow's clients know it: `{"error_code": NAME, "message": TEXT}`.
struct MLflowProblem {
    /// The names of MLflow's errors, each with its status.
    enum Name: String {
        case invalidParameterValue = "INVALID_PARAMETER_VALUE"
        case resourceAlreadyExists = "RESOURCE_ALREADY_EXISTS"
        case resourceDoesNotExist = "RESOURCE_DOES_NOT_EXIST"
        case endpointNotFound = "ENDPOINT_NOT_FOUND"
        case unauthenticated = "UNAUTHENTICATED"
        case permissionDenied = "PERMISSION_DENIED"
        case resourceExhausted = "RESOURCE_EXHAUSTED"
        case invalidState = "INVALID_STATE"
        case notImplemented = "NOT_IMPLEMENTED"
        case temporarilyUnavailable = "TEMPORARILY_UNAVAILABLE"
        case deadlineExceeded = "DEADLINE_EXCEEDED"
        case dataLoss = "DATA_LOSS"
        case internalError = "INTERNAL_ERROR"

        var status: HTTPStatus {
            switch self {
            case .invalidParameterValue, .resourceAlreadyExists: .badRequest
            case .resourceDoesNotExist, .endpointNotFound: .notFound
            case .unauthenticated: .unauthorized
            case .permissionDenied: .forbidden
            case .resourceExhausted: .tooManyRequests
            case .invalidState, .dataLoss, .internalError: .internalServerError
            case .notImplemented: .notImplemented
            case .temporarilyUnavailable: .serviceUnavailable
            case .deadlineExceeded: .gatewayTimeout
            }
        }
    }

    let name: Name
    let text: String
    private let status: HTTPStatus

    /// What a handler threw.
    init(_ error: any Error, requestID: String) {
        let problem = HTTPProblem(error, requestID: requestID)
        text = problem.text
        switch error {
        case MLflowFailure.notImplemented: name = .notImplemented
        case ExperimentsFailure.renameOfDeleted: name = .invalidState
        default: name = Self.name(of: problem.code)
        }
        status = name.status
    }

    /// What never reached a handler.
    init(unhandled problem: HTTPProblem) {
        text = problem.text
        name =
            switch problem.status {
            case .notFound, .methodNotAllowed: .endpointNotFound
            case .unauthorized: .unauthenticated
            default: Self.name(of: problem.code)
            }
        status = problem.status == .methodNotAllowed ? .methodNotAllowed : name.status
    }

    var response: HTTPResponse {
        var writer = JSONWriter()
        writer.object {
            $0.member("error_code", name.rawValue)
            $0.member("message", text)
        }
        return .bytes(writer.bytes, contentType: "application/json", status: status)
    }

    private static func name(of code: FailureCode) -> Name {
        switch code {
        // MLflow has no code of its own for a state that does not allow it.
        case .invalidArgument, .failedPrecondition: .invalidParameterValue
        case .notFound: .resourceDoesNotExist
        case .alreadyExists: .resourceAlreadyExists
        case .permissionDenied: .permissionDenied
        case .resourceExhausted: .resourceExhausted
        case .unavailable: .temporarilyUnavailable
        case .deadlineExceeded: .deadlineExceeded
        case .dataLoss: .dataLoss
        case .internal: .internalError
        }
    }
}
