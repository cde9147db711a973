import Basics
import Features
import Inference

/// How a model is trained, as written under `training/`.
public struct TrainingDefinition: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    /// The registered model that versions of this training belong to.
    public var model: String
    public var service: String
    public var population: Population
    public var from: Timestamp
    public var to: Timestamp
    /// The last part of the range, by time, is held out for evaluation.
    public var holdoutSeconds: Int64
    /// Whether the model that is kept learns from the held-out rows too, once it has been judged on them.
    public var refit: Bool
    public var rounds: Int
    public var seed: Int64
    /// Parameters handed to the trainer as they are.
    public var parameters: [String: String]
    public var gates: [Gate]

    /// The trainer's parameters, with LightGBM's own names for those of ``parameters``.
    ///
    /// - Throws: ``TrainingFailure/badParameter(training:name:value:)`` where a value is not of the name's type.
    func lightGBM() throws -> LightGBMParameters {
        var result = LightGBMParameters()
        result.metrics = ["auc"]
        result.iterations = rounds
        result.seed = Int32(truncatingIfNeeded: seed)
        func read<Value: LosslessStringConvertible>(_ name: String, _ text: String, _ value: inout Value) throws {
            guard let read = Value(text) else {
                throw TrainingFailure.badParameter(training: self.name, name: name, value: text)
            }
            value = read
        }
        for (name, text) in parameters {
            switch name {
            case "objective": result.objective = text
            case "learning_rate": try read(name, text, &result.learningRate)
            case "num_leaves": try read(name, text, &result.leaves)
            case "max_depth": try read(name, text, &result.maxDepth)
            case "min_data_in_leaf": try read(name, text, &result.minDataInLeaf)
            case "feature_fraction": try read(name, text, &result.featureFraction)
            case "bagging_fraction": try read(name, text, &result.baggingFraction)
            case "lambda_l1": try read(name, text, &result.lambdaL1)
            case "lambda_l2": try read(name, text, &result.lambdaL2)
            case "max_bin": try read(name, text, &result.maxBins)
            default: result.extra[name] = text
            }
        }
        return result
    }

    public func digest() throws -> Digest { Digest(of: try JSON.canonical(self)) }
}

/// A bound a candidate's metric must keep before it may be registered.
public struct Gate: Sendable, Codable, Equatable {
    public var metric: String
    public var minimum: Double?
    public var maximum: Double?

    public init(metric: String, minimum: Double? = nil, maximum: Double? = nil) {
        self.metric = metric
        self.minimum = minimum
        self.maximum = maximum
    }

    /// What the gate says of a set of metrics. A metric that is missing or no number fails.
    public func verdict(on metrics: [String: Double]) -> GateVerdict {
        let value = metrics[metric].flatMap { $0.isFinite ? $0 : nil }
        let bounds = [minimum.map { "≥ \($0)" }, maximum.map { "≤ \($0)" }].compactMap { $0 }.joined(separator: " and ")
        let passed = value.map { $0 >= (minimum ?? -.infinity) && $0 <= (maximum ?? .infinity) } ?? false
        return GateVerdict(gate: "\(metric) \(bounds)", value: value, passed: passed)
    }
}

/// The outcome of one gate.
public struct GateVerdict: Sendable, Codable, Equatable {
    public var gate: String
    public var value: Double?
    public var passed: Bool

    public init(gate: String, value: Double?, passed: Bool) {
        self.gate = gate
        self.value = value
        self.passed = passed
    }
}
