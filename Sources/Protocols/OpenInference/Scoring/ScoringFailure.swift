import Basics

/// What can be wrong with a request in the words of MLflow, KServe V1 or TensorFlow Serving.
enum ScoringFailure: Failure {
    /// The path names no model, and there is not just one.
    case noSingleModel([String])
    case wrongShape(String)
    case ragged(String)
    case wrongValue(input: String, wanted: String, found: String)
    case missingColumn(String, known: [String])
    case unknownColumn(String, known: [String])
    case contentType(String)
    case endpointColumns(String)

    var code: FailureCode {
        switch self {
        case .noSingleModel: .notFound
        default: .invalidArgument
        }
    }

    var message: String {
        switch self {
        case .noSingleModel(let names):
            names.isEmpty
                ? "this server has no model" : "this server has \(names.count) models, and the path names none"
        case .wrongShape(let problem): problem
        case .ragged(let place): "the rows of \(place) differ in length"
        case .wrongValue(let input, let wanted, let found):
            "the input '\(input)' takes \(wanted) and was given \(found)"
        case .missingColumn(let name, _): "the column '\(name)' is missing"
        case .unknownColumn(let name, _): "the model has no input '\(name)'"
        case .contentType(let type): "bodies of the type '\(type)' are not read"
        case .endpointColumns(let name): "the endpoint '\(name)' is asked over /v2/models/\(name)/infer"
        }
    }

    var remedy: String? {
        switch self {
        case .noSingleModel(let names):
            names.isEmpty
                ? "Load one." : "Use /endpoints/NAME/invocations, with one of: \(names.joined(separator: ", "))."
        case .missingColumn(_, let known), .unknownColumn(_, let known):
            "The inputs are: \(known.joined(separator: ", "))."
        case .contentType: "Send application/json, text/csv or application/vnd.apache.parquet."
        default: nil
        }
    }
}
