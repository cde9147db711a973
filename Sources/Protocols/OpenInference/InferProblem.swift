import Basics
import HTTP

/// An error as clients of the Open Inference Protocol read it: a status and `{"error": "what is wrong"}`.
struct InferProblem: Sendable {
    let status: HTTPStatus
    let body: [UInt8]
    let headers: HTTPHeaders

    init(_ error: any Error, requestID: String) {
        status = HTTPStatus(ofInference: error)
        let problem = HTTPProblem(error, requestID: requestID)
        body = Self.body(problem)
        headers = problem.headers.fields.isEmpty && status == .tooManyRequests ? ["Retry-After": "1"] : problem.headers
    }

    static func body(_ problem: HTTPProblem) -> [UInt8] { (try? JSON.canonical(["error": problem.text])) ?? [] }

    /// Gives what `body` gives. Errors whose status is the usual one go on to the router, which tells its log of them.
    static func answering(
        _ request: HTTPRequest, _ body: () async throws -> HTTPResponse
    ) async throws -> HTTPResponse {
        do {
            return try await body()
        } catch {
            let problem = InferProblem(error, requestID: request.requestID)
            guard problem.status != HTTPProblem(error, requestID: "").status else { throw error }
            return .bytes(problem.body, contentType: "application/json", status: problem.status)
        }
    }
}
