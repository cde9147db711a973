import Basics
import Inference

/// A version of a model that answers requests.
public final class ServedModel: Sendable {
    public let name: String
    public let version: String
    public let model: any TensorModel
    public let statistics: ModelStatistics
    public let configuration: ModelConfiguration

    /// - Parameter time: what the statistics read the moment of the last request from.
    public init(
        name: String, version: String, model: any TensorModel,
        configuration: ModelConfiguration = ModelConfiguration(), time: any TimeSource
    ) {
        self.name = name
        self.version = version
        self.model = model
        self.configuration = configuration
        statistics = ModelStatistics(time: time)
    }

    /// Versions of the model that are ready, by number.
    public var versions: [String] { [version] }

    /// Answers on the calling thread, where the model is quick and nothing waits; nil where ``infer(_:)`` is the better way.
    ///
    /// - Throws: as ``infer(_:)``.
    public func inferHere(_ request: InferenceInput) throws -> InferenceOutcome? { try run(request) }

    /// Answers a request, together with others where that pays.
    ///
    /// - Throws: `InferenceError` where the tensors do not fit the model or the runtime fails, ``ServingFailure`` where the
    ///   queue is full or the deadline has passed, `CancellationError` where the caller went away.
    public func infer(_ request: InferenceInput) async throws -> InferenceOutcome { try run(request) }

    private func run(_ request: InferenceInput) throws -> InferenceOutcome {
        let started = SystemTime.monotonicNanoseconds
        do {
            for (spec, tensor) in zip(model.inputs, request.tensors) { try spec.check(tensor) }
            let outputs = try model.run(request.tensors, wanted: request.wanted)
            let spent = SystemTime.monotonicNanoseconds &- started
            let outcome = InferenceOutcome(outputs: outputs, inferNanoseconds: spent, batchRows: request.rows)
            statistics.ran(rows: request.rows, input: 0, infer: spent, output: 0)
            statistics.answered(outcome, rows: request.rows, nanoseconds: spent)
            return outcome
        } catch {
            statistics.failed(nanoseconds: SystemTime.monotonicNanoseconds &- started)
            throw error
        }
    }
}
