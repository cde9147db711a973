import Basics

/// A model of tensors behind the interface of rows: for those with one input of numbers `[-1, n]`.
///
/// Features go in as the input's type, single precision as a rule; whole numbers are refused where a value is missing or
/// has a fraction, for there is no NaN among them. One output is asked: numbers `[-1]` or `[-1, m]`.
public struct TensorsAsRows: Model {
    public let inputCount: Int
    public let outputCount: Int
    /// Any number of threads may ask at once.
    public let slotCount: Int
    private let model: any TensorModel
    private let output: Int
    private let type: TensorType

    /// - Parameters:
    ///   - output: which one is asked; nil for the one that a scoring service means: `probabilities` and the names that
    ///     scikit-learn's converter gives them, else the last whose elements are real numbers, else the first.
    ///   - slots: how many threads will ask at once.
    /// - Throws: ``InferenceError`` where the model is of another form.
    public init(_ model: any TensorModel, output name: String? = nil, slots: Int = 1) throws {
        guard let input = model.inputs.first, model.inputs.count == 1, input.shape.count == 2, input.shape[0] == -1,
            input.shape[1] > 0, input.datatype != .bytes
        else {
            throw InferenceError.modelFile(
                model.platform, "rows of features need one input of numbers, of shape [-1, n]",
                remedy: "Export it with one such input, or ask it by tensors")
        }
        guard let output = name.map({ model.output(named: $0) }) ?? TensorsAsRows.answer(of: model.outputs) else {
            throw InferenceError.modelFile(
                model.platform, "it has no output \(name.map { "'\($0)'" } ?? "of numbers")",
                remedy: "Choose one of: \(model.outputs.map(\.name).joined(separator: ", "))")
        }
        self.model = model
        self.output = output
        type = input.datatype
        inputCount = input.shape[1]
        slotCount = max(1, slots)
        // What is declared is a hint; a row tells how many numbers an answer has.
        let row = try TensorsAsRows.tensor([Double](repeating: 0, count: inputCount)[...], type, rows: 1)
        let answer = try model.run([row], wanted: [output])
        guard let first = answer.first, first.type != .bytes, first.shape.first == 1, first.count > 0,
            first.shape.count <= 2
        else {
            throw InferenceError.modelFile(
                model.platform, "its output '\(model.outputs[output].name)' has not one row of numbers for each row")
        }
        outputCount = first.count
    }

    public func predict(rows: UnsafeBufferPointer<Double>, count: Int, into: UnsafeMutableBufferPointer<Double>) throws
    {
        let (inputs, isWide) = count.multipliedReportingOverflow(by: inputCount)
        let (outputs, isDeep) = count.multipliedReportingOverflow(by: outputCount)
        guard count >= 0, !isWide, !isDeep, rows.count >= inputs, into.count >= outputs else {
            throw InferenceError.shape("the buffers do not fit \(count) rows of \(inputCount) features")
        }
        guard count > 0 else { return }
        let tensor = try TensorsAsRows.tensor(rows[..<inputs], type, rows: count)
        guard let answer = try model.run([tensor], wanted: [output]).first, answer.count == outputs else {
            throw InferenceError.runtime(
                .internal, model.platform, "it did not answer \(count) rows with \(outputs) numbers")
        }
        try Numbers.withDoubles(answer) { answers in
            for index in 0..<outputs { into[index] = answers[index] }
        }
    }

    /// The index of the output that a scoring service means.
    static func answer(of outputs: [TensorSpec]) -> Int? {
        let real: Set<TensorType> = [.fp16, .bf16, .fp32, .fp64]
        let named = outputs.firstIndex {
            real.contains($0.datatype) && ["probabilities", "output_probability", "probability"].contains($0.name)
        }
        return named ?? outputs.lastIndex { real.contains($0.datatype) }
            ?? outputs.firstIndex { $0.datatype != .bytes }
    }

    private static func tensor(_ values: some Collection<Double>, _ type: TensorType, rows: Int) throws -> Tensor {
        let shape = [rows, rows > 0 ? values.count / rows : 0]
        func whole<Element: FixedWidthInteger & BitwiseCopyable>(_ element: Element.Type) throws -> Tensor {
            try Tensor(
                type, shape: shape,
                values: try values.map { value -> Element in
                    guard let whole = Element(exactly: value) else {
                        throw InferenceError.shape("\(value) is no \(type.rawValue), which is what the model takes")
                    }
                    return whole
                })
        }
        switch type {
        case .fp32: return try Tensor(type, shape: shape, values: values.map { Float($0) })
        case .fp64: return try Tensor(type, shape: shape, values: Array(values))
        case .fp16: return try Tensor(type, shape: shape, values: values.map { Float16($0) })
        case .int8: return try whole(Int8.self)
        case .uint8: return try whole(UInt8.self)
        case .int16: return try whole(Int16.self)
        case .uint16: return try whole(UInt16.self)
        case .int32: return try whole(Int32.self)
        case .uint32: return try whole(UInt32.self)
        case .int64: return try whole(Int64.self)
        case .uint64: return try whole(UInt64.self)
        case .bool, .bf16, .bytes:
            throw InferenceError.shape("features can not be given as \(type.rawValue)")
        }
    }
}
