import CInference
import Inference

/// An infer request of gRPC with its tensors in memory of their own.
struct InferMessage: Sendable {
    let model: String
    /// Nil where the request leaves the choice to the server.
    let version: String?
    let id: String
    let inputs: [(name: String, tensor: Tensor)]
    /// Names of outputs; empty for all.
    let outputs: [String]
    let parameters: InferParameters
    /// Whether the inputs came as raw contents; the answer is to have the same form.
    let isRaw: Bool

    /// - Throws: ``MessageFailure``, ``OpenInferenceFailure``, `InferenceError` where bytes and shape do not fit.
    init(_ bytes: UnsafeRawBufferPointer, in arena: MessageArena) throws {
        let request = try arena.read(Inference__ModelInferRequest.self, mw_model_infer_request(), bytes)
        model = String(message: request.model_name)
        let version = String(message: request.model_version)
        self.version = version.isEmpty ? nil : version
        id = String(message: request.id)
        let raw = UnsafeBufferPointer(start: request.raw_input_contents, count: request.n_raw_input_contents)
        let inputs = UnsafeBufferPointer(start: request.inputs, count: request.n_inputs).compactMap { $0?.pointee }
        let isRaw = !raw.isEmpty
        self.isRaw = isRaw
        if isRaw, raw.count != inputs.count { throw MessageFailure.rawCount(raw: raw.count, inputs: inputs.count) }
        self.inputs = try inputs.enumerated().map { place, input in
            try InferParameters.refuse(
                input.parameters.map { UnsafeBufferPointer(start: $0, count: input.n_parameters) }?
                    .compactMap { $0.map { ($0.pointee.key, $0.pointee.value) } })
            return (
                String(message: input.name),
                try Tensor(
                    input, raw: isRaw ? UnsafeRawBufferPointer(start: raw[place].data, count: raw[place].len) : nil)
            )
        }
        outputs = try UnsafeBufferPointer(start: request.outputs, count: request.n_outputs).compactMap { $0?.pointee }
            .map { output in
                try InferParameters.refuse(
                    output.parameters.map { UnsafeBufferPointer(start: $0, count: output.n_parameters) }?
                        .compactMap { $0.map { ($0.pointee.key, $0.pointee.value) } })
                return String(message: output.name)
            }
        parameters = try InferParameters(
            UnsafeBufferPointer(start: request.parameters, count: request.n_parameters)
                .compactMap { $0.map { ($0.pointee.key, $0.pointee.value) } })
    }
}

/// The parameters of a request that a server heeds.
struct InferParameters: Sendable {
    typealias Entry = (key: UnsafeMutablePointer<CChar>?, value: UnsafeMutablePointer<Inference__InferParameter>?)

    private(set) var priority: UInt64 = 0
    /// In microseconds; 0 for none.
    private(set) var timeout: UInt64 = 0

    init(_ entries: [Entry]) throws {
        for entry in entries {
            switch String(message: entry.key) {
            case "priority": priority = try Self.count("priority", entry)
            case "timeout": timeout = try Self.count("timeout", entry)
            default: break
            }
        }
    }

    /// Refuses parameters of a tensor that ask for what is not offered.
    static func refuse(_ entries: [Entry]?) throws {
        for entry in entries ?? [] {
            switch String(message: entry.key) {
            case "shared_memory_region": throw OpenInferenceFailure.notOffered("shared memory")
            case "classification": throw OpenInferenceFailure.notOffered("the parameter 'classification' of an output")
            default: break
            }
        }
    }

    private static func count(_ name: String, _ entry: Entry) throws -> UInt64 {
        guard let value = entry.value?.pointee else { return 0 }
        switch value.parameter_choice_case {
        case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_INT64_PARAM where value.int64_param >= 0:
            return UInt64(value.int64_param)
        case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_UINT64_PARAM: return value.uint64_param
        default: throw OpenInferenceFailure.badParameter(name, "a whole number, 0 or more")
        }
    }
}

extension String {
    /// A text of a message; empty where it has none.
    init(message text: UnsafeMutablePointer<CChar>?) {
        self = text.map { String(cString: $0) } ?? ""
    }
}
