import Basics
import Features
import HTTP

/// An error as Feast's clients know it: a JSON string that holds `module`, `class` and `message`, from which they make
/// their own exception again; or, for a body of the wrong shape, its validator's `detail`.
struct FeastProblem {
    let status: HTTPStatus
    let body: [UInt8]

    /// - Parameter request: the body that was sent, which tells what was found in the wrong place.
    init(_ error: any Error, requestID: String, request: [UInt8] = []) {
        switch error {
        case FeastFailure.shape(let problems):
            let sent = (try? FeastFailure.document(request)) ?? .null
            self.init(detail: problems.map { $0.json(sent) })
        case FeastFailure.malformed(let problem, let place, false):
            self.init(detail: [
                [
                    "type": "json_invalid", "loc": ["body", .string(place)], "msg": "JSON decode error", "input": [:],
                    "ctx": ["error": .string(problem)],
                ]
            ])
        default:
            self.init(HTTPProblem(error, requestID: requestID), name: Self.name(error), as: Self.status(error))
        }
    }

    /// - Parameters:
    ///   - name: the class that a client is to make of it.
    ///   - other: another status than the problem's own.
    init(_ problem: HTTPProblem, name: String? = nil, as other: HTTPStatus? = nil) {
        status = other ?? problem.status
        let known = name ?? (problem.code == .permissionDenied ? "FeastPermissionError" : "FeastError")
        let document: JSONValue = [
            "module": "feast.errors", "class": .string(known), "message": .string(problem.text),
        ]
        body = (try? JSON.canonical(JSONValue.string(try JSON.string(document)))) ?? Array("\"\"".utf8)
    }

    var response: HTTPResponse { .bytes(body, contentType: "application/json", status: status) }

    private init(detail items: [JSONValue]) {
        status = .unprocessableContent
        body = (try? JSON.canonical(["detail": JSONValue.array(items)])) ?? Array("{}".utf8)
    }

    private static func name(_ error: any Error) -> String? {
        switch error {
        case FeaturesFailure.unknown("feature view", _, _): "FeatureViewNotFoundException"
        case FeaturesFailure.unknown("feature service", _, _): "FeatureServiceNotFoundException"
        case FeastFailure.pushSource: "PushSourceNotFoundException"
        case FeastFailure.collision: "FeatureNameCollisionError"
        default: nil
        }
    }

    private static func status(_ error: any Error) -> HTTPStatus? {
        switch error {
        case FeastFailure.pushSource: .unprocessableContent
        case FeastFailure.malformed(_, _, true): .contentTooLarge
        default: nil
        }
    }
}
