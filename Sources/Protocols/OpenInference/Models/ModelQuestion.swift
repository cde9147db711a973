import Basics
import CSimdJSON
import Inference
import Serving

/// A request to a model of the repository, taken out of the parser's memory so that it may wait for its turn.
struct ModelQuestion: Sendable {
    let call: ModelCall
    /// Whether each of the wanted outputs goes back as bytes.
    let binary: [Bool]

    var model: ServedModel { call.model }
    var input: InferenceInput { call.input }

    /// - Parameter began: when its bytes were first looked at, on the monotonic clock, in nanoseconds.
    /// - Throws: ``OpenInferenceFailure`` where inputs or outputs are not those of the model, `InferenceError` where a
    ///   tensor is of another type or shape.
    init(_ view: mw_infer_view, to model: ServedModel, began: UInt64) throws {
        let specs = model.model.inputs
        let given = UnsafeBufferPointer(start: view.inputs, count: view.input_count)
        var tensors: [Tensor] = []
        tensors.reserveCapacity(specs.count)
        for (index, spec) in specs.enumerated() {
            // Clients send inputs in the model's order most of the time.
            let found =
                index < given.count && given[index].name == spec.name
                ? given[index] : given.first { $0.name == spec.name }
            guard let found else {
                throw OpenInferenceFailure.missingInput(spec.name, known: specs.map(\.name))
            }
            tensors.append(try Tensor(found))
        }
        if given.count != specs.count { throw Self.excess(given.map(\.name.string), specs) }
        let all = try view.parameters.bool("binary_data_output") ?? false
        let (wanted, binary) = try Self.outputs(view, of: model.model, binary: all)
        self.init(
            model: model, tensors: tensors, wanted: wanted, binary: binary, began: began,
            timeout: try view.parameters.count("timeout") ?? 0, priority: try view.parameters.count("priority") ?? 0,
            id: view.has_id ? view.id.string : nil)
    }

    /// - Parameters:
    ///   - began: when its bytes were first looked at, on the monotonic clock, in nanoseconds.
    ///   - timeout: how long it may wait for its turn, in microseconds; 0 for as long as the model's settings say.
    init(
        model: ServedModel, tensors: [Tensor], wanted: [Int], binary: [Bool], began: UInt64, timeout: UInt64,
        priority: UInt64, id: String?
    ) {
        let (nanoseconds, isEndless) = timeout.multipliedReportingOverflow(by: 1000)
        let (deadline, isLate) = began.addingReportingOverflow(nanoseconds)
        self.binary = binary
        call = ModelCall(
            InferenceInput(
                tensors: tensors, wanted: wanted, deadline: timeout == 0 || isEndless || isLate ? nil : deadline,
                priority: Int(clamping: priority), id: id), to: model, began: began)
    }

    /// A body that is nothing but the elements of a model's only input. The answer goes back as bytes, too.
    ///
    /// - Throws: ``OpenInferenceFailure/notRaw(_:_:)`` where the model has several inputs, or one whose shape can not be
    ///   told from the number of elements.
    init(raw body: UnsafeRawBufferPointer, to model: ServedModel, began: UInt64) throws {
        func refuse(_ reason: String) -> OpenInferenceFailure { .notRaw(model.name, reason) }
        let specs = model.model.inputs
        guard let spec = specs.first, specs.count == 1 else { throw refuse("it has \(specs.count) inputs") }
        let tensor: Tensor
        if let size = spec.datatype.elementBytes {
            guard spec.shape.count(where: { $0 < 0 }) <= 1 else { throw refuse("several sizes of its input vary") }
            guard let fixed = Tensor.count(of: spec.shape.map { $0 < 0 ? 1 : $0 }), fixed > 0,
                case (let step, let tooMany) = fixed.multipliedReportingOverflow(by: size), !tooMany,
                body.count.isMultiple(of: step), spec.shape.contains(where: { $0 < 0 }) || body.count == step
            else { throw refuse("\(body.count) bytes are no input of shape \(spec.shape)") }
            tensor = try Tensor(
                type: spec.datatype, shape: spec.shape.map { $0 < 0 ? body.count / step : $0 },
                storage: TensorStorage(copying: body))
        } else {
            guard spec.shape.allSatisfy({ $0 < 0 || $0 == 1 }), body.count <= UInt32.max else {
                throw refuse("they are one text, and its input has the shape \(spec.shape)")
            }
            // Without a length before it: the body is the text.
            let storage = TensorStorage(count: body.count + 4) { memory in
                memory.storeBytes(of: UInt32(truncatingIfNeeded: body.count).littleEndian, as: UInt32.self)
                UnsafeMutableRawBufferPointer(rebasing: memory[4...]).copyMemory(from: body)
            }
            tensor = try Tensor(type: .bytes, shape: spec.shape.map { _ in 1 }, storage: storage)
        }
        let outputs = model.model.outputs.indices
        call = ModelCall(InferenceInput(tensors: [tensor], wanted: Array(outputs)), to: model, began: began)
        binary = outputs.map { _ in true }
    }

    private static func outputs(
        _ view: mw_infer_view, of model: any TensorModel, binary all: Bool
    ) throws -> (wanted: [Int], binary: [Bool]) {
        let asked = UnsafeBufferPointer(start: view.outputs, count: view.output_count)
        let specs = model.outputs
        guard !asked.isEmpty else { return (Array(specs.indices), specs.map { _ in all }) }
        var wanted: [Int] = []
        var binary: [Bool] = []
        for output in asked {
            guard let index = specs.firstIndex(where: { output.name == $0.name }) else {
                throw OpenInferenceFailure.unknownOutput(output.name.string, known: specs.map(\.name))
            }
            guard !wanted.contains(index) else { throw OpenInferenceFailure.repeatedOutput(output.name.string) }
            for name: StaticString in ["classification", "shared_memory_region"]
            where output.parameters.value(of: name) != nil {
                throw OpenInferenceFailure.notOffered("the parameter '\(name)' of an output")
            }
            wanted.append(index)
            binary.append(try output.parameters.bool("binary_data") ?? all)
        }
        return (wanted, binary)
    }

    /// Why there are more inputs than the model has, where none of the model's is missing.
    static func excess(_ given: [String], _ specs: [TensorSpec]) -> OpenInferenceFailure {
        let known = specs.map(\.name)
        var seen: Set<String> = []
        for name in given {
            guard known.contains(name) else { return .unknownInput(name, known: known) }
            guard seen.insert(name).inserted else { return .repeatedInput(name) }
        }
        return .missingInput(known.first { !seen.contains($0) } ?? "", known: known)
    }
}

extension Tensor {
    /// The elements of an input in memory of their own.
    /// - Throws: ``OpenInferenceFailure/nulls(_:)``; `InferenceError` where the shape is beyond what can be counted.
    init(_ input: mw_tensor) throws {
        guard input.null_count == 0 else { throw OpenInferenceFailure.nulls(input.name.string) }
        let shape = withUnsafeBytes(of: input.shape) { sizes in
            sizes.bindMemory(to: Int64.self).prefix(input.rank).map { Int($0) }
        }
        let storage = withUnsafePointer(to: input) { input in
            TensorStorage(count: mw_tensor_size(input)) { mw_tensor_write(input, $0.baseAddress) }
        }
        try self.init(type: TensorType(input.datatype), shape: shape, storage: storage)
    }
}
