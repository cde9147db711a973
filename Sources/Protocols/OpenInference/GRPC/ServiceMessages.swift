import CInference
import Inference
import Serving

/// The answers of the service that tell of the server and its models.
struct ServiceMessages {
    let arena: MessageArena
    let output: OutputBuffer

    /// A model and, where it is named, its version: what most requests are.
    func subject(_ bytes: UnsafeRawBufferPointer) throws -> (name: String, version: String?) {
        let request = try arena.read(Inference__ModelReadyRequest.self, mw_model_ready_request(), bytes)
        let version = String(message: request.version)
        return (String(message: request.name), version.isEmpty ? nil : version)
    }

    func live() throws -> [UInt8] {
        let message = try arena.make(Inference__ServerLiveResponse.self, mw_server_live_response())
        message.pointee.live = 1
        return bytes(message)
    }

    func serverReady(_ ready: Bool) throws -> [UInt8] {
        let message = try arena.make(Inference__ServerReadyResponse.self, mw_server_ready_response())
        message.pointee.ready = ready ? 1 : 0
        return bytes(message)
    }

    func modelReady(_ ready: Bool) throws -> [UInt8] {
        let message = try arena.make(Inference__ModelReadyResponse.self, mw_model_ready_response())
        message.pointee.ready = ready ? 1 : 0
        return bytes(message)
    }

    func server(name: String, version: String, extensions: [String]) throws -> [UInt8] {
        let message = try arena.make(Inference__ServerMetadataResponse.self, mw_server_metadata_response())
        message.pointee.name = try arena.text(name)
        message.pointee.version = try arena.text(version)
        message.pointee.extensions = try arena.list(extensions.map { try arena.text($0) })
        message.pointee.n_extensions = extensions.count
        return bytes(message)
    }

    func metadata(_ model: ModelMetadata) throws -> [UInt8] {
        let message = try arena.make(Inference__ModelMetadataResponse.self, mw_model_metadata_response())
        message.pointee.name = try arena.text(model.name)
        message.pointee.versions = try arena.list(model.versions.map { try arena.text($0) })
        message.pointee.n_versions = model.versions.count
        message.pointee.platform = try arena.text(model.platform)
        message.pointee.inputs = try arena.messages(model.inputs.map(tensor))
        message.pointee.n_inputs = model.inputs.count
        message.pointee.outputs = try arena.messages(model.outputs.map(tensor))
        message.pointee.n_outputs = model.outputs.count
        return bytes(message)
    }

    private func tensor(
        _ tensor: ModelMetadata.Tensor
    ) throws -> UnsafeMutablePointer<Inference__ModelMetadataResponse__TensorMetadata> {
        let message = try arena.make(
            Inference__ModelMetadataResponse__TensorMetadata.self, mw_model_metadata_response__tensor_metadata())
        message.pointee.name = try arena.text(tensor.name)
        message.pointee.datatype = try arena.text(tensor.datatype)
        message.pointee.shape = try arena.list(tensor.shape.map(Int64.init))
        message.pointee.n_shape = tensor.shape.count
        return message
    }

    /// What a request for the index asks: whether only for what is ready.
    func wantsReadyOnly(_ bytes: UnsafeRawBufferPointer) throws -> Bool {
        try arena.read(Inference__RepositoryIndexRequest.self, mw_repository_index_request(), bytes).ready != 0
    }

    func index(_ entries: [ModelIndexEntry]) throws -> [UInt8] {
        let message = try arena.make(Inference__RepositoryIndexResponse.self, mw_repository_index_response())
        message.pointee.models = try arena.messages(
            entries.map { entry in
                let model = try arena.make(
                    Inference__RepositoryIndexResponse__ModelIndex.self, mw_repository_index_response__model_index())
                model.pointee.name = try arena.text(entry.name)
                model.pointee.version = try arena.text(entry.version)
                model.pointee.state = try arena.text(entry.state.rawValue)
                model.pointee.reason = try arena.text(entry.reason)
                return model
            })
        message.pointee.n_models = entries.count
        return bytes(message)
    }

    /// The model that a request to load or unload names, and what it brings.
    func load(_ bytes: UnsafeRawBufferPointer) throws -> (name: String, override: ModelOverride?) {
        let request = try arena.read(
            Inference__RepositoryModelLoadRequest.self, mw_repository_model_load_request(), bytes)
        var override = ModelOverride()
        for entry in UnsafeBufferPointer(start: request.parameters, count: request.n_parameters) {
            let name = String(message: entry?.pointee.key)
            guard let value = entry?.pointee.value?.pointee else { continue }
            if name == "config" {
                guard
                    value.parameter_choice_case == INFERENCE__MODEL_REPOSITORY_PARAMETER__PARAMETER_CHOICE_STRING_PARAM
                else { throw OpenInferenceFailure.badParameter(name, "a text") }
                override.configuration = String(message: value.string_param)
            } else if name.hasPrefix("file:") {
                guard value.parameter_choice_case == INFERENCE__MODEL_REPOSITORY_PARAMETER__PARAMETER_CHOICE_BYTES_PARAM
                else { throw OpenInferenceFailure.badParameter(name, "bytes") }
                let file = UnsafeRawBufferPointer(start: value.bytes_param.data, count: value.bytes_param.len)
                override.files[String(name.dropFirst(5))] = [UInt8](file)
            }
        }
        return (String(message: request.model_name), override == ModelOverride() ? nil : override)
    }

    /// An answer of a stream: the answer to a request, or what was wrong with it. Either way with the request's id.
    func streamed(_ answer: Result<InferAnswer, StreamedError>) throws -> [UInt8] {
        switch answer {
        case .success(let answer):
            let inner = OutputBuffer()
            try answer.write(to: inner, in: arena, notes: nil)
            output.clear()
            output.append(field: 2, inner.bytes)
            return [UInt8](output.bytes)
        case .failure(let error):
            let message = try arena.make(Inference__ModelStreamInferResponse.self, mw_model_stream_infer_response())
            let response = try arena.make(Inference__ModelInferResponse.self, mw_model_infer_response())
            message.pointee.error_message = try arena.text(error.text)
            response.pointee.id = try arena.text(error.id)
            message.pointee.infer_response = response
            return bytes(message)
        }
    }

    /// What is told of a request of a stream that could not be answered.
    struct StreamedError: Error {
        let text: String
        /// What the caller calls the request; empty where that could not be read.
        let id: String
    }

    func bytes<Message>(_ message: UnsafeMutablePointer<Message>) -> [UInt8] {
        output.clear()
        output.append(message: message)
        return [UInt8](output.bytes)
    }
}
