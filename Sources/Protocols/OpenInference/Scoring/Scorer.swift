import Basics
import Columnar
import Compression
import Features
import HTTP
import Inference
import Serving
import Telemetry

/// Scores what came in the words of MLflow or TensorFlow Serving, by endpoint or by model.
struct Scorer: Sendable {
    /// A document takes many times its length in memory while it is taken apart.
    static let bodyBytesMax = 16 << 20

    let directory: Directory
    let workers: InferenceWorkers

    /// What a body is.
    enum Body: Sendable {
        case json([UInt8], forms: [ScoringRequest.Form])
        case table(Table)
    }

    /// A scored request whose answer is to be written, and then ``finish``ed.
    struct Scored: Sendable {
        let form: ScoringRequest.Form
        let answer: ScoringAnswer
        /// What its record is called; nil where it is not kept.
        let predictionID: String?
        /// Counts the request and keeps its record; where it throws, the answer must not be given.
        let finish: @Sendable (RequestNotes?) throws -> Void
    }

    /// - Throws: a `Failure` that says what is wrong with the request or why there is no answer.
    func score(
        _ target: Directory.Target, _ body: Body
    ) async throws -> Scored {
        let began = SystemTime.monotonicNanoseconds
        switch target {
        case .model(let model):
            let (form, tensors) = try await workers.run { session in
                try session.scoring(body) { ($0.form, try $0.tensors(for: model.model)) }
            }
            let specs = model.model.outputs
            let call = ModelCall(
                InferenceInput(tensors: tensors, wanted: Array(specs.indices)), to: model, began: began)
            let outcome = try await call.infer()
            return Scored(
                form: form, answer: ScoringAnswer(outputs: zip(specs, outcome.outputs).map { ($0.name, $1) }),
                predictionID: call.madeID
            ) { try call.finish(outcome, notes: $0) }
        case .endpoint(let endpoint):
            return try await workers.run { session in
                try session.scoring(body) { request in
                    let (scores, summary) = try session.scores(endpoint, try request.inputs(of: endpoint))
                    return Scored(
                        form: request.form, answer: ScoringAnswer(outputs: [(InferenceSession.scoreName, scores)]),
                        predictionID: summary.madeID, finish: summary.finish)
                }
            }
        }
    }

    /// An answer as JSON that `write` writes, with the id of its record.
    /// - Parameter notes: where its stages are told for a trace.
    static func response(
        _ scored: Scored, notes: RequestNotes?, _ write: (ScoringAnswer, ScoringRequest.Form, OutputBuffer) -> Void
    ) throws -> HTTPResponse {
        let output = OutputBuffer()
        write(scored.answer, scored.form, output)
        try scored.finish(notes)
        var response = HTTPResponse.bytes([UInt8](output.bytes), contentType: "application/json")
        if let id = scored.predictionID { response.headers.add(InferRoutes.predictionHeader, id) }
        return response
    }

    /// The body of a request as it was before it was compressed.
    @concurrent static func plain(_ request: HTTPRequest) async throws -> [UInt8] {
        var body = request.body
        if let coding = try ContentCoding.ofBody(request.header("Content-Encoding")) {
            body = try body.withUnsafeBytes { try coding.decompress($0, limit: bodyBytesMax) }
        }
        guard body.count <= bodyBytesMax else { throw OpenInferenceFailure.tooLarge(limit: bodyBytesMax) }
        return body
    }
}

extension InferenceSession {
    fileprivate func scoring<Result>(
        _ body: Scorer.Body, _ use: (ScoringRequest) throws -> Result
    ) throws -> Result {
        switch body {
        case .table(let table): return try use(try ScoringRequest(table))
        case .json(let bytes, let forms):
            let request = try bytes.withUnsafeBytes { bytes in
                try parser.document(bytes) { try ScoringRequest($0, forms: forms) }
            }
            return try use(request)
        }
    }
}

extension ScoringRequest {
    /// The inputs of an endpoint. A table may have more columns than it takes.
    /// - Throws: ``ScoringFailure`` where the columns have no names, or values of another type.
    fileprivate func inputs(of endpoint: Endpoint) throws -> [(name: String, tensor: Tensor)] {
        guard case .columns(let columns) = content else {
            throw ScoringFailure.wrongShape("the columns for the endpoint '\(endpoint.definition.name)' need names")
        }
        let known = ModelMetadata(endpoint).inputs
        return try columns.compactMap { name, cells in
            let input = known.first { $0.name == name }
            guard input != nil || endpoint.service.inputNames.contains(name) else { return nil }
            var type: TensorType = input?.datatype == "BYTES" ? .bytes : .fp64
            if name == Columns.timeName {
                if case .bytes = cells.values.first { type = .bytes } else { type = .int64 }
            }
            return (name, try cells.tensor(for: TensorSpec(name: name, datatype: type, shape: [-1])))
        }
    }
}
