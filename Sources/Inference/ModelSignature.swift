/// One named input or output of a model: a single value per row.
public struct SignatureColumn: Codable, Sendable, Equatable {
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
    public let inputs: [SignatureColumn]
    public let outputs: [SignatureColumn]

    public init(inputs: [SignatureColumn], outputs: [SignatureColumn]) {
        self.inputs = inputs
        self.outputs = outputs
    }
}
