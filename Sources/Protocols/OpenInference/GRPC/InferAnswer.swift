import CInference
import Inference
import Telemetry

/// The answer to an infer request of gRPC.
struct InferAnswer: Sendable {
    let model: String
    let version: String
    let id: String
    let outputs: [(name: String, tensor: Tensor)]
    /// Whether elements go as raw contents.
    let isRaw: Bool
    /// Counts the request and keeps its record, once the message is written.
    let finish: @Sendable (RequestNotes?) throws -> Void

    /// Writes the message in place of what is there, and says so to who counts the request.
    /// - Parameter notes: where its stages are told for a trace.
    /// - Throws: what ``finish`` throws; the message must not be given then.
    func write(to output: OutputBuffer, in arena: MessageArena, notes: RequestNotes?) throws {
        let response = try arena.make(Inference__ModelInferResponse.self, mw_model_infer_response())
        response.pointee.model_name = try arena.text(model)
        response.pointee.model_version = try arena.text(version)
        response.pointee.id = try arena.text(id)
        // Half precision has no typed contents, and a message has one form for all.
        let isRaw = isRaw || outputs.contains { [.fp16, .bf16].contains($0.tensor.type) }
        let tensors = try outputs.map { name, tensor in
            let message = try arena.make(
                Inference__ModelInferResponse__InferOutputTensor.self, mw_model_infer_response__infer_output_tensor())
            message.pointee.name = try arena.text(name)
            message.pointee.datatype = try arena.text(tensor.type.rawValue)
            message.pointee.shape = try arena.list(tensor.shape.map(Int64.init))
            message.pointee.n_shape = tensor.shape.count
            if !isRaw { message.pointee.contents = try tensor.contents(in: arena) }
            return message
        }
        response.pointee.outputs = try arena.messages(tensors)
        response.pointee.n_outputs = tensors.count
        output.clear()
        output.append(message: response)
        // The raw contents are the last field, so they can be written from where they lie.
        if isRaw { for (_, tensor) in outputs { tensor.withBytes { output.append(field: 6, $0) } } }
        try finish(notes)
    }
}
