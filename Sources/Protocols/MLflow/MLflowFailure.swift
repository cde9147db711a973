import Basics

/// What can be wrong with a request in MLflow's protocol before it reaches a layer.
enum MLflowFailure: Failure {
    case missing(String)
    case wrong(String, name: String, reason: String?)
    case bothSpellings(String)
    case mediaType(String)
    case pageToken
    case invalid(String)
    case notImplemented(String)
    case noPages(String)

    var code: FailureCode { .invalidArgument }

    var message: String {
        switch self {
        case .missing(let name): "Missing value for required parameter '\(name)'."
        case .wrong(let value, let name, let reason):
            "Invalid value \(value) for parameter '\(name)' supplied" + (reason.map { ": \($0)" } ?? ".")
        case .bothSpellings(let name): "The parameter '\(name)' is given in two spellings"
        case .mediaType(let type): "Bad Request. Content-Type must be 'application/json', not '\(type)'."
        case .pageToken: "Invalid page token, decoding failed"
        case .invalid(let text), .notImplemented(let text): text
        case .noPages(let directory): "there are no web pages of MLflow in '\(directory)'"
        }
    }

    var remedy: String? {
        guard case .noPages = self else { return nil }
        return "Name the folder 'mlflow/server/js/build' of an installed mlflow; 'index.html' is in it."
    }
}
