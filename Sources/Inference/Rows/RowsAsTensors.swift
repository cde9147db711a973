/// A model of rows behind the interface of tensors, with the names that Triton's backend for forests gives.
///
/// One input, `input__0`, of shape `[-1, features]`, and one output, `output__0`, of shape `[-1, outputs]`, also where a
/// row has a single output: as Triton has it, and so that rows can always be told from columns. Single and double
/// precision and whole numbers go in (64-bit ones as the nearest double); NaN is a missing value.
public struct RowsAsTensors: TensorModel {
    public static let inputName = "input__0"
    public static let outputName = "output__0"

    public let platform: String
    public let inputs: [TensorSpec]
    public let outputs: [TensorSpec]
    public var stacksRows: Bool { true }
    public var columnNames: [String]? {
        if let columns { return columns }
        if let forest = model as? XGBoostModel { return forest.featureNames.isEmpty ? nil : forest.featureNames }
        return (model as? LightGBMModel)?.featureNames
    }
    public let byteCount: Int
    /// The model as it was before.
    public let model: any Model
    private let columns: [String]?

    /// - Parameters:
    ///   - platform: the runtime's name, such as `lightgbm`.
    ///   - byteCount: memory the model keeps, as far as known.
    ///   - datatype: FP32 where the model works in single precision, which is then what it gives.
    ///   - columns: names of the features, in order; nil for those that the model itself knows.
    public init(
        _ model: any Model, platform: String, byteCount: Int, datatype: TensorType = .fp64, columns: [String]? = nil
    ) {
        self.model = model
        self.columns = columns
        self.platform = platform
        self.byteCount = byteCount
        let other: TensorType = datatype == .fp64 ? .fp32 : .fp64
        inputs = [
            TensorSpec(
                name: Self.inputName, datatype: datatype, shape: [-1, model.inputCount],
                alsoAccepted: [other] + Numbers.wholeTypes)
        ]
        outputs = [TensorSpec(name: Self.outputName, datatype: datatype, shape: [-1, model.outputCount])]
    }

    public func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        guard let input = inputs.first, inputs.count == 1, wanted.allSatisfy({ $0 == 0 }) else {
            throw InferenceError.shape("the model has one input and one output")
        }
        try self.inputs[0].check(input)
        let rows = input.shape[0]
        let (count, isTooMany) = rows.multipliedReportingOverflow(by: model.outputCount)
        guard !isTooMany else { throw InferenceError.shape("\(rows) rows are too many") }
        let shape = [rows, model.outputCount]
        let isSingle = outputs[0].datatype == .fp32
        return try wanted.map { _ in
            if !isSingle {
                let storage = try TensorStorage(count: count * 8) { memory in
                    try predict(input, rows: rows, into: memory.bindMemory(to: Double.self))
                }
                return try Tensor(type: .fp64, shape: shape, storage: storage)
            }
            let answers = try array(of: count) { try predict(input, rows: rows, into: $0) }
            return try Tensor(.fp32, shape: shape, values: answers.map { Float($0) })
        }
    }

    private func predict(_ input: Tensor, rows: Int, into answers: UnsafeMutableBufferPointer<Double>) throws {
        try Numbers.withDoubles(input) { try model.predict(rows: $0, count: rows, into: answers) }
    }
}

/// Elements of tensors as doubles.
enum Numbers {
    static let wholeTypes: [TensorType] = [.bool, .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .uint64]

    /// - Throws: ``InferenceError`` where the tensor has no numbers.
    static func withDoubles<Result>(
        _ tensor: Tensor, _ body: (UnsafeBufferPointer<Double>) throws -> Result
    ) throws -> Result {
        let count = tensor.count
        return try tensor.withBytes { bytes in
            if tensor.type == .fp64, Int(bitPattern: bytes.baseAddress).isMultiple(of: 8) {
                return try body(bytes.bindMemory(to: Double.self))
            }
            return try withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { memory in
                func fill<Element: BitwiseCopyable>(_ type: Element.Type, _ convert: (Element) -> Double) {
                    let size = MemoryLayout<Element>.stride
                    for index in 0..<count {
                        memory[index] = convert(bytes.loadUnaligned(fromByteOffset: index * size, as: type))
                    }
                }
                switch tensor.type {
                case .fp64: fill(Double.self) { $0 }
                case .fp32: fill(Float.self) { Double($0) }
                case .fp16: fill(Float16.self) { Double($0) }
                case .bf16: fill(UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
                case .bool, .uint8: fill(UInt8.self) { Double($0) }
                case .int8: fill(Int8.self) { Double($0) }
                case .int16: fill(Int16.self) { Double($0) }
                case .uint16: fill(UInt16.self) { Double($0) }
                case .int32: fill(Int32.self) { Double($0) }
                case .uint32: fill(UInt32.self) { Double($0) }
                case .int64: fill(Int64.self) { Double($0) }
                case .uint64: fill(UInt64.self) { Double($0) }
                case .bytes: throw InferenceError.shape("a tensor of BYTES has no numbers")
                }
                return try body(UnsafeBufferPointer(memory))
            }
        }
    }
}
