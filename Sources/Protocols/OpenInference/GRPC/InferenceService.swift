import Basics
import GRPC
import HTTP
import Inference
import Security
import Serving
import Telemetry

/// The gRPC service of the Open Inference Protocol, with Triton's stream of requests and its model repository.
struct InferenceService: Sendable {
    static let name = "inference.GRPCInferenceService"
    /// A longer message would hold up the other connections of its loop while it is read.
    private static let inlineBytes = 1 << 20

    let directory: Directory
    let version: String
    let loops: [InferenceSession]
    let workers: InferenceWorkers
    /// False where reading features waits for a network.
    let answersOnLoops: Bool

    func install(on calls: GRPCRouter) {
        installMetadata(on: calls)
        installRepository(on: calls)
        let need = RouteNeed.right(to: .infer, onSome: "endpoint")
        calls.inline(Self.path("ModelInfer"), needs: need) { answerHere($0) }
        calls.unary(Self.path("ModelInfer"), needs: need) { request in
            try await Self.failing {
                try Self.message(
                    try await answer(request.message, caller: request.caller), notes: request.notes)
            }
        }
        calls.stream(Self.path("ModelStreamInfer"), needs: need) { stream in
            while let message = try await stream.next() {
                try await stream.send(try await streamed(message, caller: stream.request.caller))
            }
        }
        for call in [
            "SystemSharedMemoryStatus", "SystemSharedMemoryRegister", "SystemSharedMemoryUnregister",
            "CudaSharedMemoryStatus", "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister", "TraceSetting",
            "LogSettings",
        ] {
            calls.unary(Self.path(call), needs: .right(to: .operate)) { _ in
                throw GRPCStatus(.unimplemented, OpenInferenceFailure.notOffered(call).description)
            }
        }
        calls.health.set(Self.name, .serving)
    }

    static func path(_ method: String) -> String { "/\(name)/\(method)" }

    /// Gives errors the status that clients of this service know for them.
    static func failing<Result>(_ body: () async throws -> Result) async throws -> Result {
        do { return try await body() } catch { throw status(error) }
    }

    private static func status(_ error: any Error) -> any Error {
        guard case OpenInferenceFailure.notOffered = error else { return error }
        return GRPCStatus(.unimplemented, (error as? any Failure)?.description ?? "")
    }

    // MARK: On the loop

    private func answerHere(_ call: borrowing GRPCInlineCall) -> Bool {
        guard loops.indices.contains(call.loopIndex), call.message.count <= Self.inlineBytes else { return false }
        let session = loops[call.loopIndex]
        let began = SystemTime.monotonicNanoseconds
        do {
            session.arena.reset()
            let message = try InferMessage(call.message, in: session.arena)
            // Before the caller is let in: who goes on to the task is let in there.
            if !answersOnLoops, directory.isEndpoint(message.model) { return false }
            var name = message.model
            do {
                try name.withUTF8 {
                    try call.require(.right(to: .infer, on: "endpoint"), on: UnsafeRawBufferPointer($0))
                }
            } catch GRPCFailure.accessUnknown {
                return false
            }
            let answer: InferAnswer
            switch try directory.target(message.model, version: message.version) {
            case .endpoint(let endpoint): answer = try session.answer(endpoint, message)
            case .model(let model):
                let question = try ModelQuestion(message, to: model, began: began)
                guard let outcome = try question.call.inferHere() else {
                    Self.wait(for: question, isRaw: message.isRaw, call.later())
                    return true
                }
                answer = question.answer(outcome, isRaw: message.isRaw)
            }
            try answer.write(to: session.output, in: session.arena, notes: call.notes)
            call.reply(session.output.bytes)
        } catch {
            call.fail(Self.status(error))
        }
        return true
    }

    /// Answers a call when it is its turn at the model.
    private static func wait(for question: ModelQuestion, isRaw: Bool, _ call: GRPCPendingCall) {
        let work = Task.immediate {
            do {
                let outcome = try await question.call.infer()
                let output = OutputBuffer()
                try question.answer(outcome, isRaw: isRaw).write(
                    to: output, in: MessageArena(), notes: call.notes)
                call.reply(output.bytes)
            } catch {
                call.fail(status(error))
            }
        }
        call.onCancel { work.cancel() }
    }

    // MARK: As a task

    private func answer(_ bytes: [UInt8], caller: Caller?) async throws -> InferAnswer {
        let began = SystemTime.monotonicNanoseconds
        let message = try await workers.run { session in
            session.arena.reset()
            return try bytes.withUnsafeBytes { try InferMessage($0, in: session.arena) }
        }
        return try await answer(message, began: began, caller: caller)
    }

    private func answer(_ message: InferMessage, began: UInt64, caller: Caller?) async throws -> InferAnswer {
        try caller?.require(.right(to: .infer, on: "endpoint"), on: message.model)
        switch try directory.target(message.model, version: message.version) {
        case .endpoint(let endpoint):
            return try await workers.run { session in try session.answer(endpoint, message) }
        case .model(let model):
            let question = try ModelQuestion(message, to: model, began: began)
            return question.answer(try await question.call.infer(), isRaw: message.isRaw)
        }
    }

    private static func message(_ answer: InferAnswer, notes: RequestNotes?) throws -> [UInt8] {
        let output = OutputBuffer()
        try answer.write(to: output, in: MessageArena(), notes: notes)
        return [UInt8](output.bytes)
    }

    /// The answer to a request of a stream. What is wrong with one is told in the stream, which goes on.
    private func streamed(_ bytes: [UInt8], caller: Caller?) async throws -> [UInt8] {
        let messages = ServiceMessages(arena: MessageArena(), output: OutputBuffer())
        let began = SystemTime.monotonicNanoseconds
        var id = ""
        do {
            let message = try bytes.withUnsafeBytes { try InferMessage($0, in: messages.arena) }
            id = message.id
            return try messages.streamed(.success(try await answer(message, began: began, caller: caller)))
        } catch let error as CancellationError {
            throw error
        } catch {
            return try messages.streamed(.failure(.init(text: HTTPProblem(error, requestID: id).text, id: id)))
        }
    }
}

extension InferenceSession {
    /// The answer of an endpoint to a request that came as a message.
    func answer(_ endpoint: Endpoint, _ message: InferMessage) throws -> InferAnswer {
        if let other = message.outputs.first(where: { $0 != Self.scoreName }) {
            throw OpenInferenceFailure.unknownOutput(other, known: [Self.scoreName])
        }
        let (scores, summary) = try scores(endpoint, message.inputs, id: message.id)
        return InferAnswer(
            model: endpoint.definition.name, version: summary.version.map { String($0) } ?? "",
            id: summary.madeID ?? message.id, outputs: [(Self.scoreName, scores)], isRaw: message.isRaw,
            finish: summary.finish)
    }
}
