import Basics

/// What can be wrong with an Open Inference request before it reaches an endpoint.
enum OpenInferenceFailure: Failure {
    case malformed(String, where: String, limit: Bool)
    case missingInput(String, known: [String])
    case wrongType(String, wanted: String, found: String)
    case wrongRows(String, rows: Int, found: Int)
    case rows(Int, most: Int)
    case badTime(String)
    case badID
    case binary(String)

    var code: FailureCode {
        switch self {
        case .malformed(_, _, let limit): limit ? .resourceExhausted : .invalidArgument
        default: .invalidArgument
        }
    }

    var message: String {
        switch self {
        case .malformed(let problem, let place, _): place.isEmpty ? problem : "\(problem) at \(place)"
        case .missingInput(let name, _): "the input '\(name)' is missing"
        case .wrongType(let name, let wanted, let found):
            "the input '\(name)' has datatype \(found) where \(wanted) is wanted"
        case .wrongRows(let name, let rows, let found):
            "the input '\(name)' has \(found) values where the first input has \(rows)"
        case .rows(let rows, let most): "a request has \(rows) rows; the limit is \(most)"
        case .badTime(let text): "the event time '\(text)' is no RFC 3339 time"
        case .badID: "the request's id must have 1 to 240 bytes"
        case .binary(let name): "the input '\(name)' has no 'data'"
        }
    }

    var remedy: String? {
        switch self {
        case .missingInput(_, let known): "The inputs are: \(known.joined(separator: ", "))."
        case .rows: "Send them in several requests."
        case .badTime: "Write it like 2013-04-01T12:30:00Z, or leave it out for the present moment."
        case .binary: "Send its values as JSON in 'data'."
        default: nil
        }
    }
}
