import Basics
import Compression
import HTTP

/// What can be wrong with an Open Inference request before it reaches an endpoint or a model.
enum OpenInferenceFailure: Failure {
    case malformed(String, where: String, limit: Bool)
    case missingInput(String, known: [String])
    case unknownInput(String, known: [String])
    case repeatedInput(String)
    case unknownOutput(String, known: [String])
    case repeatedOutput(String)
    case wrongType(String, wanted: String, found: String)
    case wrongRows(String, rows: Int, found: Int)
    case rows(Int, most: Int)
    case badTime(String)
    case badID
    case badParameter(String, String)
    case nulls(String)
    case headerLength(String, body: Int)
    /// A body without a JSON header, for a model that such a body does not describe.
    case notRaw(String, String)
    case tooLarge(limit: Int)
    case coding(String)
    /// A part of the protocol that this server does not have.
    case notOffered(String)
    case versionNotServed(endpoint: String, version: String, served: [String])

    var code: FailureCode {
        switch self {
        case .malformed(_, _, let limit): limit ? .resourceExhausted : .invalidArgument
        case .tooLarge: .resourceExhausted
        case .versionNotServed: .notFound
        default: .invalidArgument
        }
    }

    var message: String {
        switch self {
        case .malformed(let problem, let place, _): place.isEmpty ? problem : "\(problem) at \(place)"
        case .missingInput(let name, _): "the input '\(name)' is missing"
        case .unknownInput(let name, _): "there is no input '\(name)'"
        case .repeatedInput(let name): "the input '\(name)' is given twice"
        case .unknownOutput(let name, _): "there is no output '\(name)'"
        case .repeatedOutput(let name): "the output '\(name)' is asked for twice"
        case .wrongType(let name, let wanted, let found):
            "the input '\(name)' has datatype \(found) where \(wanted) is wanted"
        case .wrongRows(let name, let rows, let found):
            "the input '\(name)' has \(found) values where the first input has \(rows)"
        case .rows(let rows, let most): "a request has \(rows) rows; the limit is \(most)"
        case .badTime(let text): "the event time '\(text)' is no RFC 3339 time"
        case .badID: "the request's id must have 1 to 240 bytes"
        case .badParameter(let name, let wanted): "the parameter '\(name)' has to be \(wanted)"
        case .nulls(let name): "the input '\(name)' has null among its values"
        case .headerLength(let text, let body):
            "Inference-Header-Content-Length is '\(text)', which is no length within a body of \(body) bytes"
        case .notRaw(let name, let reason): "the model '\(name)' can not be asked by bytes alone: \(reason)"
        case .tooLarge(let limit): "the body has more than the \(limit) bytes allowed"
        case .coding(let name): "bodies with the Content-Encoding '\(name)' are not read"
        case .notOffered(let what): "\(what) is not offered by this server"
        case .versionNotServed(let endpoint, let version, _):
            "the endpoint '\(endpoint)' does not answer with version '\(version)' alone"
        }
    }

    var remedy: String? {
        switch self {
        case .missingInput(_, let known), .unknownInput(_, let known):
            "The inputs are: \(known.joined(separator: ", "))."
        case .unknownOutput(_, let known): "The outputs are: \(known.joined(separator: ", "))."
        case .rows, .tooLarge: "Send them in several requests."
        case .badTime: "Write it like 2013-04-01T12:30:00Z, or leave it out for the present moment."
        case .nulls: "Send NaN as binary data where a value is missing, or what the model was trained to take for it."
        case .coding: "Send gzip, deflate, or the body as it is."
        case .notRaw: "Send a JSON header, and its length in Inference-Header-Content-Length."
        case .versionNotServed(_, _, let served):
            served.isEmpty
                ? "It has no version deployed."
                : "Its traffic goes to: \(served.joined(separator: ", ")); name no version."
        default: nil
        }
    }
}

extension HTTPStatus {
    /// The status of an error in the protocols of inference.
    ///
    /// It differs from that of other protocols where a client of Triton or KServe would take the usual one for something
    /// else: a body that is too long is no rate limit, and a state that forbids a request is no failed condition of HTTP.
    init(ofInference error: any Error) {
        switch error {
        case OpenInferenceFailure.tooLarge, OpenInferenceFailure.malformed(_, _, limit: true),
            CompressionFailure.tooLong:
            self = .contentTooLarge
        case OpenInferenceFailure.coding, ScoringFailure.contentType: self = HTTPStatus(415)
        case OpenInferenceFailure.notOffered: self = .notImplemented
        case let failure as any Failure where failure.code == .failedPrecondition: self = .badRequest
        default: self = HTTPProblem(error, requestID: "").status
        }
    }
}
