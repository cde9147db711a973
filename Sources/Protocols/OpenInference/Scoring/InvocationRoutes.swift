import Basics
import Columnar
import HTTP
import Security

/// MLflow's scoring protocol: `/invocations` for the one model of a server, and `/endpoints/NAME/invocations`.
struct InvocationRoutes: Sendable {
    let scorer: Scorer
    let tables: ColumnarEngine
    let version: String

    /// - Parameter standalone: whether the server is one of models alone, whose `/health` and `/version` are MLflow's.
    func install(on router: Router, standalone: Bool) {
        for prefix in ["/invocations", "/endpoints", "/ping"] {
            router.errorShape(prefix: prefix) { problem in Self.response(problem, status: problem.status) }
        }
        router.post("/invocations", needs: .right(to: .infer, onSome: "endpoint")) { request in
            try await answering(request) {
                let name = try scorer.directory.only()
                try request.caller?.require(.right(to: .infer, on: "endpoint"), on: name)
                return try await answer(request, name)
            }
        }
        router.post("/endpoints/{name}/invocations", needs: .right(to: .infer, on: "endpoint", named: "name")) {
            request in
            try await answering(request) { try await answer(request, try request.parameter("name")) }
        }
        guard standalone else { return }
        for path in ["/ping", "/health"] {
            router.get(path, needs: .nothing) { _ in
                scorer.directory.isReady && !scorer.directory.index(readyOnly: true).isEmpty
                    ? .text("\n") : .text("\n", status: .notFound)
            }
        }
        router.get("/version", needs: .nothing) { _ in .text(version) }
    }

    private func answer(_ request: HTTPRequest, _ name: String) async throws -> HTTPResponse {
        let target = try scorer.directory.target(name)
        let scored = try await scorer.score(target, try await body(request))
        return try Scorer.response(scored, notes: request.notes) { answer, form, output in
            output.append("{\"predictions\":")
            if form == .inputs { answer.appendByName(to: output) } else { answer.appendByRow(to: output) }
            output.append("}")
        }
    }

    private func body(_ request: HTTPRequest) async throws -> Scorer.Body {
        let header = request.header("Content-Type") ?? ""
        let parts = header.lowercased().split(separator: ";").map { $0.filter { $0 != " " } }
        guard parts.dropFirst().allSatisfy({ $0 == "charset=utf-8" }) else {
            throw ScoringFailure.contentType(header)
        }
        let bytes = try await Scorer.plain(request)
        switch parts.first {
        case "application/json": return .json(bytes, forms: ScoringRequest.Form.allCases)
        case "text/csv": return .table(try await table(bytes, .csv))
        case "application/vnd.apache.parquet", "application/x-parquet":
            return .table(try await table(bytes, .parquet))
        default: throw ScoringFailure.contentType(header)
        }
    }

    private func table(_ bytes: [UInt8], _ kind: TableFile) async throws -> Table {
        do {
            return try await tables.run { try $0.table(in: bytes, of: kind) }
        } catch let failure as ColumnarFailure where ![.resourceExhausted, .unavailable].contains(failure.code) {
            // Whatever else is wrong with a file, its bytes are the caller's.
            throw ScoringFailure.wrongShape("the body is no table that can be read: \(failure.message)")
        }
    }

    private func answering(
        _ request: HTTPRequest, _ body: () async throws -> HTTPResponse
    ) async throws -> HTTPResponse {
        do {
            return try await body()
        } catch {
            let status = HTTPStatus(ofInference: error)
            let problem = HTTPProblem(error, requestID: request.requestID)
            guard status != problem.status else { throw error }
            return Self.response(problem, status: status)
        }
    }

    /// An error in MLflow's words.
    private static func response(_ problem: HTTPProblem, status: HTTPStatus) -> HTTPResponse {
        let code =
            switch problem.code {
            case .invalidArgument, .failedPrecondition: "INVALID_PARAMETER_VALUE"
            case .notFound: "RESOURCE_DOES_NOT_EXIST"
            case .permissionDenied: "PERMISSION_DENIED"
            case .resourceExhausted: "RESOURCE_EXHAUSTED"
            case .unavailable, .deadlineExceeded: "TEMPORARILY_UNAVAILABLE"
            case .alreadyExists, .dataLoss, .internal: "INTERNAL_ERROR"
            }
        let body = (try? JSON.canonical(["error_code": code, "message": problem.text])) ?? []
        return .bytes(body, contentType: "application/json", status: status)
    }
}
