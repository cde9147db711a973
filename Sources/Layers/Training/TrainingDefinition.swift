import Basics
import Features

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
    public var rounds: Int
    public var seed: Int64
    public var threads: Int
    /// Parameters handed to the trainer as they are.
    public var parameters: [String: String]
    public var gates: [Gate]

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
