import Basics

extension Tensor {
    /// The bytes of a tensor that is made only to see a model run.
    private static let zerosMax = 64 << 20

    /// Zeros, or empty strings, where a request may choose a size one of them.
    ///
    /// - Throws: ``InferenceError`` where the tensor would be too large.
    public static func zeros(for spec: TensorSpec) throws -> Tensor {
        let shape = spec.shape.map { $0 < 0 ? 1 : $0 }
        // An empty string is the four zero bytes of its length.
        let size = count(of: shape).map { $0.multipliedReportingOverflow(by: spec.datatype.elementBytes ?? 4) }
        guard let size, !size.overflow, size.partialValue <= zerosMax else {
            throw InferenceError(
                .invalidArgument, "the input '\(spec.name)' is too large to be tried", remedy: "Send a request")
        }
        let storage = TensorStorage(count: size.partialValue) { memory in
            for index in memory.indices { memory[index] = 0 }
        }
        return try Tensor(type: spec.datatype, shape: shape, storage: storage)
    }
}

extension TensorModel {
    /// Every output for inputs of zeros.
    ///
    /// - Throws: ``InferenceError`` where it does not take them.
    func runOnZeros() throws -> [Tensor] {
        try run(try inputs.map { try Tensor.zeros(for: $0) }, wanted: Array(outputs.indices))
    }
}
