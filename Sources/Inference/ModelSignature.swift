/// The type of a tensor's elements, by its name in the Open Inference Protocol.
public enum TensorType: String, Codable, Sendable, CaseIterable {
    case fp64 = "FP64"
    case fp32 = "FP32"
    case int64 = "INT64"
    case bytes = "BYTES"
    case bool = "BOOL"
}

/// One named input or output of a model: a single value per row.
public struct TensorSpecification: Codable, Sendable, Equatable {
    public let name: String
    public let datatype: TensorType
    /// Whether the value may be missing.
    public let nullable: Bool

    public init(name: String, datatype: TensorType, nullable: Bool = false) {
        self.name = name
        self.datatype = datatype
        self.nullable = nullable
    }
}

/// What a model takes and gives, in the order of its numbers.
public struct ModelSignature: Codable, Sendable, Equatable {
    public let inputs: [TensorSpecification]
    public let outputs: [TensorSpecification]

    public init(inputs: [TensorSpecification], outputs: [TensorSpecification]) {
        self.inputs = inputs
        self.outputs = outputs
    }
}
