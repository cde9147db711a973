import Basics
import Inference
import Telemetry

/// A request to a model on its way, from the first look at its bytes until its answer is written: what times its stages
/// and keeps its record, whatever protocol it came by.
public struct ModelCall: Sendable {
    public let model: ServedModel
    public let input: InferenceInput
    /// Nil where its record is not kept.
    public let ticket: RecordTicket?
    private let began: UInt64

    /// Says that a request has been read and is ready for the model.
    /// - Parameter began: the moment of ``SystemTime/monotonicNanoseconds`` when its bytes were first looked at.
    public init(_ input: InferenceInput, to model: ServedModel, began: UInt64) {
        var input = input
        input.arrived = SystemTime.monotonicNanoseconds
        self.input = input
        self.model = model
        self.began = began
        ticket = model.recorder?.ticket(for: input.id)
    }

    /// The id of its record, where the caller gave it none.
    public var madeID: String? { ticket.flatMap { $0.isMade ? $0.id : nil } }

    /// Answers on the calling thread; nil where ``infer()`` is the better way.
    /// - Throws: as ``ServedModel/infer(_:)``.
    public func inferHere() throws -> InferenceOutcome? {
        do { return try model.inferHere(input) } catch {
            failed(error)
            throw error
        }
    }

    /// Answers, together with others where that pays.
    /// - Throws: as ``ServedModel/infer(_:)``.
    public func infer() async throws -> InferenceOutcome {
        do {
            var outcome = try await model.infer(input)
            // The way back from the model's thread is a part of handing the answer out.
            let spent = SystemTime.monotonicNanoseconds &- input.arrived
            let known =
                outcome.queueNanoseconds &+ outcome.inputNanoseconds &+ outcome.inferNanoseconds
                &+ outcome.outputNanoseconds
            if spent > known { outcome.outputNanoseconds &+= spent - known }
            return outcome
        } catch {
            failed(error)
            throw error
        }
    }

    /// Says that the answer is written and about to be given.
    /// - Parameter notes: where its stages are told for a trace.
    /// - Throws: ``ServingFailure/notRecorded(endpoint:reason:)`` where its record is to be kept and can not be: then it must
    ///   not be given.
    public func finish(_ outcome: InferenceOutcome, notes: RequestNotes? = nil) throws {
        let times = StageTimes(
            ingest: input.arrived &- began, preprocess: outcome.queueNanoseconds &+ outcome.inputNanoseconds,
            inference: outcome.inferNanoseconds, postprocess: outcome.outputNanoseconds,
            total: SystemTime.monotonicNanoseconds &- began
        ).fillingSerialise()
        if let ticket {
            do { try model.recorder?.keep(ticket, input, outcome, times) } catch {
                throw ServingFailure.notRecorded(
                    endpoint: model.name, reason: (error as? any Failure)?.message ?? "\(error)")
            }
        }
        model.stages.observe(times)
        notes?.write(times, from: began, model: model.name, version: model.version, arm: .stable)
    }

    private func failed(_ error: any Error) {
        guard let ticket else { return }
        let times = StageTimes(
            ingest: input.arrived &- began, total: SystemTime.monotonicNanoseconds &- began)
        model.recorder?.keep(ticket, input, failed: error, times)
    }
}
