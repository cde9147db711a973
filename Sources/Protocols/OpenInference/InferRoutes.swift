import Basics
import Compression
import HTTP
import Inference
import Security
import Serving
import Synchronization
import Telemetry

/// The routes that answer infer requests.
///
/// A short request whose features or model are at hand is answered on the loop it came by, with nothing between the
/// socket and the model. All others go on as tasks: long bodies, compressed ones, and those that wait for features of a
/// network or for their turn at a model.
struct InferRoutes: Sendable {
    /// A longer body would hold up the other connections of its loop while it is read.
    private static let inlineBytes = 256 << 10
    private static let lengthHeader = "Inference-Header-Content-Length"
    /// What the record of a request is called, where its caller gave it no id.
    static let predictionHeader = "X-Prediction-Id"

    let directory: Directory
    let loops: [InferenceSession]
    let workers: InferenceWorkers
    /// False where reading features waits for a network.
    let answersOnLoops: Bool

    func install(on router: Router) {
        let need = RouteNeed.right(to: .infer, on: "endpoint", named: "name")
        router.inline(.post, "/v2/models/{name}/infer", needs: need) { answerHere($0, version: nil) }
        router.inline(.post, "/v2/models/{name}/versions/{version}/infer", needs: need) {
            answerHere($0, version: $0.parameterText(1))
        }
        router.post("/v2/models/{name}/infer", needs: need) { try await answer($0, version: nil) }
        router.post("/v2/models/{name}/versions/{version}/infer", needs: need) { request in
            try await answer(request, version: try request.parameter("version"))
        }
    }

    // MARK: On the loop

    private func answerHere(_ exchange: borrowing InlineExchange, version: String?) -> Bool {
        let body = exchange.body
        guard loops.indices.contains(exchange.loopIndex), body.count <= Self.inlineBytes,
            exchange.header("content-encoding") == nil
        else { return false }
        let session = loops[exchange.loopIndex]
        do {
            let header = try ContentCoding.headerLength(
                exchange.header("inference-header-content-length"), body: body.count)
            switch try directory.target(exchange.parameterText(0), version: version) {
            case .endpoint(let endpoint):
                guard answersOnLoops else { return false }
                try reply(exchange, session, try session.answer(endpoint, body, header: header, notes: exchange.notes))
            case .model(let model):
                switch try session.answer(model, body, header: header, notes: exchange.notes) {
                case .answered(let written): try reply(exchange, session, written)
                case .waits(let question):
                    let accepted = exchange.header("accept-encoding").map { [UInt8]($0) } ?? []
                    Self.wait(for: question, accepting: accepted, exchange.later())
                }
            }
        } catch {
            let problem = InferProblem(error, requestID: exchange.requestID ?? "")
            problem.body.withUnsafeBytes {
                exchange.reply(
                    problem.status, contentType: "application/json", headers: problem.headers, $0)
            }
        }
        return true
    }

    private func reply(
        _ exchange: borrowing InlineExchange, _ session: InferenceSession, _ written: InferenceSession.Written
    ) throws {
        try Self.frame(session.output.bytes, written, accepting: exchange.header("accept-encoding")) {
            exchange.reply(.ok, contentType: $0, headers: $1, $2)
        }
    }

    /// Answers a request when it is its turn at the model.
    private static func wait(for question: ModelQuestion, accepting: [UInt8], _ exchange: PendingExchange) {
        Task.immediate {
            do {
                let outcome = try await question.call.infer()
                let output = OutputBuffer()
                let written = try output.answer(question, with: outcome, notes: exchange.notes)
                try accepting.withUnsafeBytes {
                    try frame(output.bytes, written, accepting: $0) {
                        exchange.reply(.ok, contentType: $0, headers: $1, $2)
                    }
                }
            } catch {
                let problem = InferProblem(error, requestID: "")
                problem.body.withUnsafeBytes {
                    exchange.reply(problem.status, contentType: "application/json", headers: problem.headers, $0)
                }
            }
        }
    }

    /// Gives an answer the headers that say how to read it, and compresses it where that is wanted.
    private static func frame(
        _ bytes: UnsafeRawBufferPointer, _ written: InferenceSession.Written, accepting: UnsafeRawBufferPointer?,
        _ reply: (_ type: StaticString, HTTPHeaders, UnsafeRawBufferPointer) -> Void
    ) throws {
        var headers: HTTPHeaders = [:]
        if let header = written.header { headers.add(lengthHeader, String(header)) }
        if let id = written.predictionID { headers.add(predictionHeader, id) }
        let type: StaticString = written.header == nil ? "application/json" : "application/octet-stream"
        guard let coding = ContentCoding.ofAnswer(accepting, bytes: bytes.count) else {
            reply(type, headers, bytes)
            return
        }
        headers.add("Content-Encoding", coding.rawValue)
        try coding.compress(bytes).withUnsafeBytes { reply(type, headers, $0) }
    }

    // MARK: As a task

    private func answer(_ request: HTTPRequest, version: String?) async throws -> HTTPResponse {
        try await InferProblem.answering(request) {
            var body = request.body
            if let coding = try ContentCoding.ofBody(request.header("Content-Encoding")) {
                body = try await Self.decompress(body, coding)
            }
            guard body.count <= InferParser.bodyBytesMax else {
                throw OpenInferenceFailure.tooLarge(limit: InferParser.bodyBytesMax)
            }
            let length = request.header(Self.lengthHeader).map { Array($0.utf8) }
            let header = try length?.withUnsafeBytes { try ContentCoding.headerLength($0, body: body.count) }
            let answer = try await answer(
                try directory.target(try request.parameter("name"), version: version), body, header: header,
                notes: request.notes)
            return try Self.response(answer, accepting: request.header("Accept-Encoding"))
        }
    }

    /// An answer in memory of its own.
    private struct Answer: Sendable {
        let bytes: [UInt8]
        let written: InferenceSession.Written

        init(_ output: OutputBuffer, _ written: InferenceSession.Written) {
            bytes = [UInt8](output.bytes)
            self.written = written
        }
    }

    private func answer(
        _ target: Directory.Target, _ body: [UInt8], header: Int?, notes: RequestNotes?
    ) async throws -> Answer {
        switch target {
        case .endpoint(let endpoint):
            return try await workers.run { session in
                let written = try body.withUnsafeBytes {
                    try session.answer(endpoint, $0, header: header, notes: notes)
                }
                return Answer(session.output, written)
            }
        case .model(let model):
            let question = try await workers.run { session in
                try body.withUnsafeBytes { try session.question(to: model, $0, header: header) }
            }
            let outcome = try await question.call.infer()
            let output = OutputBuffer()
            return Answer(output, try output.answer(question, with: outcome, notes: notes))
        }
    }

    /// Away from the loop: it may take long.
    @concurrent private static func decompress(_ body: [UInt8], _ coding: Compression) async throws -> [UInt8] {
        try body.withUnsafeBytes { try coding.decompress($0, limit: InferParser.bodyBytesMax) }
    }

    private static func response(_ answer: Answer, accepting: String?) throws -> HTTPResponse {
        var response = HTTPResponse()
        let accepted = accepting.map { Array($0.utf8) } ?? []
        try answer.bytes.withUnsafeBytes { bytes in
            try accepted.withUnsafeBytes { accepted in
                try frame(bytes, answer.written, accepting: accepted) { type, headers, bytes in
                    response = .bytes([UInt8](bytes), contentType: "\(type)")
                    for (name, value) in headers.fields { response.headers.add(name, value) }
                }
            }
        }
        return response
    }
}
