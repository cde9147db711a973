import Inference

/// A graph of models that is asked like one: each step takes tensors of the request, or of steps before it.
public struct EnsembleDefinition: Sendable, Codable, Equatable {
    /// A model, and which tensors of the ensemble its inputs and outputs are.
    public struct Step: Sendable, Codable, Equatable {
        public var model: String
        /// Nil for the highest version that is ready.
        public var version: String?
        /// By name of the model's input.
        public var inputs: [String: String]
        /// By name of the model's output.
        public var outputs: [String: String]

        public init(model: String, version: String? = nil, inputs: [String: String], outputs: [String: String]) {
            self.model = model
            self.version = version
            self.inputs = inputs
            self.outputs = outputs
        }
    }

    public let inputs: [TensorSpec]
    public let outputs: [TensorSpec]
    /// In an order in which each finds its tensors.
    public let steps: [Step]

    /// - Parameter steps: in any order.
    /// - Throws: ``ServingFailure/badRequest(_:remedy:)`` where a tensor comes from nowhere, from two places, or from itself.
    public init(inputs: [TensorSpec], outputs: [TensorSpec], steps: [Step]) throws {
        func refuse(_ problem: String, _ remedy: String) -> ServingFailure { .badRequest(problem, remedy: remedy) }
        guard !steps.isEmpty, !outputs.isEmpty else {
            throw refuse(
                "an ensemble needs a step and an output", "Give 'ensemble_scheduling' with its 'step's, and 'output'.")
        }
        let made = inputs.map(\.name) + steps.flatMap { $0.outputs.values }
        if let twice = made.first(where: { name in made.count { $0 == name } > 1 }) {
            throw refuse(
                "the tensor '\(twice)' of an ensemble comes from two places", "Give each tensor a name of its own.")
        }
        var known = Set(inputs.map(\.name))
        var (left, ordered) = (steps, [Step]())
        while !left.isEmpty {
            let ready = left.filter { step in step.inputs.values.allSatisfy(known.contains) }
            guard !ready.isEmpty else {
                let missing = left.flatMap { $0.inputs.values }.filter { !known.contains($0) }.sorted()
                throw refuse(
                    "no step of the ensemble can come next: '\(missing.first ?? "")' is given by none before",
                    "Have each tensor given by the request or a step that does not wait for it.")
            }
            ordered += ready
            left.removeAll { ready.contains($0) }
            known.formUnion(ready.flatMap { $0.outputs.values })
        }
        if let missing = outputs.first(where: { !known.contains($0.name) }) {
            throw refuse(
                "the output '\(missing.name)' of an ensemble is given by no step",
                "Name it in an 'output_map'. Tensors: \(known.sorted().joined(separator: ", ")).")
        }
        (self.inputs, self.outputs, self.steps) = (inputs, outputs, ordered)
    }
}
