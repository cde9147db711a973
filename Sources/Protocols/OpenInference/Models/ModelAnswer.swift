import Inference
import Serving
import Telemetry

extension OutputBuffer {
    /// Writes the answer to a question in place of what is there, and keeps its record.
    ///
    /// - Throws: as ``ModelCall/finish(_:notes:)``; the answer must not be given then.
    func answer(
        _ question: ModelQuestion, with outcome: InferenceOutcome, notes: RequestNotes?
    ) throws -> InferenceSession.Written {
        let header = write(question, outcome.outputs)
        try question.call.finish(outcome, notes: notes)
        return InferenceSession.Written(header: header, predictionID: question.call.madeID)
    }

    /// - Returns: how many bytes are JSON; nil where all are.
    private func write(_ question: ModelQuestion, _ outputs: [Tensor]) -> Int? {
        clear()
        append("{\"model_name\":")
        append(jsonString: question.model.name)
        append(",\"model_version\":")
        append(jsonString: question.model.version)
        if let id = question.input.id {
            append(",\"id\":")
            append(jsonString: id)
        }
        append(",\"outputs\":[")
        let specs = question.model.model.outputs
        for (place, output) in outputs.enumerated() {
            append(place == 0 ? "{\"name\":" : ",{\"name\":")
            append(jsonString: specs[question.input.wanted[place]].name)
            append(",\"datatype\":\"")
            append(output.type.rawValue)
            append("\",\"shape\":")
            append(shape: output.shape)
            if question.binary[place] {
                append(",\"parameters\":{\"binary_data_size\":")
                append(output.byteCount)
                append("}}")
            } else {
                append(",\"data\":[")
                output.withBytes { append(elements: $0, count: output.count, of: output.type) }
                append("]}")
            }
        }
        append("]}")
        guard question.binary.contains(true) else { return nil }
        let header = count
        for (place, output) in outputs.enumerated() where question.binary[place] {
            output.withBytes { append($0) }
        }
        return header
    }
}
