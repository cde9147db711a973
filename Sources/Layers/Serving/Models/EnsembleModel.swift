import Basics
import Inference

/// Runs a graph of models as one model. A model that is loaded anew is asked from the next request on.
struct EnsembleModel: TensorModel {
    /// How deep ensembles may stand in each other: one that came back to itself would have no end.
    private static let depthMax = 8

    let platform = "ensemble"
    let stacksRows: Bool
    let columnNames: [String]? = nil
    let byteCount = 0
    private let definition: EnsembleDefinition
    private let find: @Sendable (_ name: String, _ version: String?) throws -> ServedModel

    /// - Parameters:
    ///   - stacksRows: whether the first dimension of every tensor counts rows that do not touch each other.
    ///   - find: gives a model of the same repository.
    init(
        _ definition: EnsembleDefinition, stacksRows: Bool,
        find: @escaping @Sendable (_ name: String, _ version: String?) throws -> ServedModel
    ) {
        self.definition = definition
        self.stacksRows = stacksRows
        self.find = find
    }

    var inputs: [TensorSpec] { definition.inputs }
    var outputs: [TensorSpec] { definition.outputs }

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        try run(inputs, wanted: wanted, depth: 1, counts: true)
    }

    /// The same, without a trace in the statistics of its models.
    func tryOut(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        try run(inputs, wanted: wanted, depth: 1, counts: false)
    }

    private func run(_ inputs: [Tensor], wanted: [Int], depth: Int, counts: Bool) throws -> [Tensor] {
        var tensors = Dictionary(zip(definition.inputs.map(\.name), inputs), uniquingKeysWith: { first, _ in first })
        for step in definition.steps {
            guard depth < Self.depthMax else {
                throw ServingFailure.modelNotReady(step.model, reason: "ensembles stand in each other too deep")
            }
            let served = try find(step.model, step.version)
            let model = served.model
            let given = try model.inputs.map { spec in
                guard let tensor = step.inputs[spec.name].flatMap({ tensors[$0] }) else {
                    throw ServingFailure.modelNotReady(
                        step.model, reason: "the ensemble gives nothing to its input '\(spec.name)'")
                }
                try spec.check(tensor)
                return tensor
            }
            let places = model.outputs.indices.filter { step.outputs[model.outputs[$0].name] != nil }
            guard places.count == step.outputs.count else {
                let known = model.outputs.map(\.name).joined(separator: ", ")
                throw ServingFailure.modelNotReady(
                    step.model, reason: "the ensemble wants an output that it has not; it has \(known)")
            }
            func ask(_ request: InferenceInput) throws -> [Tensor] {
                guard let ensemble = model as? EnsembleModel else {
                    return try model.run(request.tensors, wanted: request.wanted)
                }
                return try ensemble.run(request.tensors, wanted: request.wanted, depth: depth + 1, counts: counts)
            }
            let request = InferenceInput(tensors: given, wanted: places)
            let now = SystemTime.monotonicNanoseconds
            // Counted as a request to the step's model, in whose queue it does not wait.
            let answers =
                counts
                ? try served.runner.run(request, arrived: now, started: now, asking: ask).outputs : try ask(request)
            for (place, answer) in zip(places, answers) {
                if let name = step.outputs[model.outputs[place].name] { tensors[name] = answer }
            }
        }
        return try wanted.map { place in
            let spec = definition.outputs[place]
            guard let tensor = tensors[spec.name] else {
                throw ServingFailure.modelNotReady(spec.name, reason: "no step of the ensemble has given it")
            }
            guard tensor.type == spec.datatype else {
                throw ServingFailure.modelNotReady(
                    spec.name,
                    reason: "the ensemble calls it \(spec.datatype.rawValue), and its step gave \(tensor.type.rawValue)"
                )
            }
            return tensor
        }
    }
}
