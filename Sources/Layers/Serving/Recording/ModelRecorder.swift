import Basics
import Inference

/// The record of a request that is to be kept.
public struct RecordTicket: Sendable {
    /// By which it is found again.
    public let id: String
    /// Whether it was made here, because the caller gave none.
    public let isMade: Bool
}

/// Keeps the requests to one version of a model as its policy says.
final class ModelRecorder: Sendable {
    private let model: String
    private let version: String
    private let inputs: [String]
    private let outputs: [String]
    private let policy: RecordPolicy
    private let threshold: UInt64
    private let redactor: Redactor
    private let line: RecordLine
    private let time: any TimeSource
    private let random: any RandomSource

    init(
        model: String, version: String, inputs: [String], outputs: [String], policy: RecordPolicy, redactor: Redactor,
        line: RecordLine, time: any TimeSource, random: any RandomSource
    ) {
        self.model = model
        self.version = version
        self.inputs = inputs
        self.outputs = outputs
        self.policy = policy
        self.redactor = redactor
        self.line = line
        self.time = time
        self.random = random
        threshold = policy.sample >= 1 ? .max : UInt64(max(0, policy.sample) * 0x1p64)
    }

    /// Decides whether a request is kept.
    /// - Parameter id: what the caller calls it; nil where it says nothing.
    /// - Returns: nil where it is not.
    func ticket(for id: String?) -> RecordTicket? {
        let name = id ?? random.identifier(at: time.now)
        guard threshold == .max || SplitMix.hash(name) < threshold else { return nil }
        return RecordTicket(id: name, isMade: id == nil)
    }

    /// Keeps a request that was answered.
    /// - Throws: `StorageFailure` where the policy says that the answer waits for it, and it can not be kept.
    func keep(_ ticket: RecordTicket, _ input: InferenceInput, _ outcome: InferenceOutcome, _ stages: StageTimes) throws
    {
        try keep(
            ticket, outcome.isCached ? .cached : .answered, input, outcome.outputs, stages,
            batchRows: outcome.isCached ? 0 : outcome.batchRows, error: "")
    }

    /// Keeps a request that was not answered. The caller gets its error whether that can be kept or not.
    func keep(_ ticket: RecordTicket, _ input: InferenceInput, failed error: any Error, _ stages: StageTimes) {
        let reason =
            (error as? any Failure)?.message ?? (error is CancellationError ? "the caller went away" : "\(error)")
        try? keep(ticket, .failed, input, [], stages, batchRows: 0, error: reason)
    }

    private func keep(
        _ ticket: RecordTicket, _ outcome: TensorRecord.Outcome, _ input: InferenceInput, _ answers: [Tensor],
        _ stages: StageTimes, batchRows: Int, error: String
    ) throws {
        let tensors = input.tensors.prefix(inputs.count)
        let size =
            (policy.inputs ? tensors.reduce(0) { $0 + $1.byteCount } : 0)
            + (policy.outputs ? answers.reduce(0) { $0 + $1.byteCount } : 0)
        let isWhole = size <= policy.maxBytes
        var writer = TensorRecordWriter(
            id: ticket.id, model: model, version: version, arm: .stable, outcome: outcome,
            recorded: time.now.microseconds, stages: stages, batchRows: batchRows, error: error,
            inputs: tensors.count, outputs: answers.count,
            capacity: 192 + 64 * (tensors.count + answers.count) + (isWhole ? size : 0))
        for (place, tensor) in tensors.enumerated() {
            writer.begin(inputs[place], tensor.type, tensor.shape)
            guard policy.inputs else {
                writer.endWithoutContent()
                continue
            }
            switch redactor.redact(tensor, input: place) {
            case .nothing: writer.endWithoutContent()
            case .asItIs: tensor.withBytes { Self.end(&writer, $0, whole: isWhole) }
            case .elements(let bytes): bytes.withUnsafeBytes { Self.end(&writer, $0, whole: isWhole) }
            }
        }
        for (place, tensor) in answers.enumerated() {
            let output = input.wanted.indices.contains(place) ? input.wanted[place] : place
            writer.begin(outputs.indices.contains(output) ? outputs[output] : "", tensor.type, tensor.shape)
            if policy.outputs {
                tensor.withBytes { Self.end(&writer, $0, whole: isWhole) }
            } else {
                writer.endWithoutContent()
            }
        }
        switch policy.durability {
        case .acknowledged: try line.append(writer.bytes)
        case .asynchronous: line.offer(writer.bytes)
        }
    }

    private static func end(_ writer: inout TensorRecordWriter, _ bytes: UnsafeRawBufferPointer, whole: Bool) {
        if whole { writer.end(elements: bytes) } else { writer.end(digest: Digest(of: bytes).hex) }
    }
}
