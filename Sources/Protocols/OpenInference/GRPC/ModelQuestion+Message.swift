import Basics
import Inference
import Serving

extension ModelQuestion {
    /// A request that came as a message.
    /// - Parameter began: when its bytes were first looked at, on the monotonic clock, in nanoseconds.
    /// - Throws: as for JSON.
    init(_ message: InferMessage, to model: ServedModel, began: UInt64) throws {
        let specs = model.model.inputs
        let tensors = try specs.map { spec in
            guard let input = message.inputs.first(where: { $0.name == spec.name }) else {
                throw OpenInferenceFailure.missingInput(spec.name, known: specs.map(\.name))
            }
            return input.tensor
        }
        if message.inputs.count != specs.count { throw Self.excess(message.inputs.map(\.name), specs) }
        let outputs = model.model.outputs
        var wanted: [Int] = message.outputs.isEmpty ? Array(outputs.indices) : []
        for name in message.outputs {
            guard let index = outputs.firstIndex(where: { $0.name == name }) else {
                throw OpenInferenceFailure.unknownOutput(name, known: outputs.map(\.name))
            }
            guard !wanted.contains(index) else { throw OpenInferenceFailure.repeatedOutput(name) }
            wanted.append(index)
        }
        self.init(
            model: model, tensors: tensors, wanted: wanted, binary: wanted.map { _ in message.isRaw }, began: began,
            timeout: message.parameters.timeout, priority: message.parameters.priority,
            id: message.id.isEmpty ? nil : message.id)
    }

    /// The answer as a message.
    func answer(_ outcome: InferenceOutcome, isRaw: Bool) -> InferAnswer {
        let specs = model.model.outputs
        return InferAnswer(
            model: model.name, version: model.version, id: input.id ?? call.madeID ?? "",
            outputs: zip(input.wanted, outcome.outputs).map { (specs[$0].name, $1) }, isRaw: isRaw
        ) { [call] in try call.finish(outcome, notes: $0) }
    }
}
