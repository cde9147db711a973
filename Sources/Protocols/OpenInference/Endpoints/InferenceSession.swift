import Basics
import CSimdJSON
import HTTP
import Inference
import Serving
import Telemetry

/// Answers infer requests on one thread: parser, row scratch and output buffer are its own, so that a request allocates
/// next to nothing.
final class InferenceSession: @unchecked Sendable {
    let parser = InferParser()
    let output = OutputBuffer()
    /// Where the messages of gRPC are taken apart.
    let arena = MessageArena()
    private let slot: Int
    private let time: any TimeSource
    private let random: any RandomSource
    private var keys: [UnsafeRawBufferPointer] = []
    private var given: [GivenFeature] = []
    private var id: [UInt8] = []
    private var scores: [Double] = []
    /// The one output of an endpoint.
    static let scoreName = "score"
    static let rowsMax = 10_000

    init(slot: Int, time: any TimeSource, random: any RandomSource) {
        self.slot = slot
        self.time = time
        self.random = random
    }

    /// Answers a request to an endpoint; `output` holds the answer until the next one.
    ///
    /// - Parameters:
    ///   - header: bytes of JSON that `body` begins with; nil where it is all JSON.
    ///   - notes: where its stages are told for a trace.
    /// - Throws: a `Failure` that says what is wrong with the request or why there is no answer.
    func answer(
        _ endpoint: Endpoint, _ body: UnsafeRawBufferPointer, header: Int?, notes: RequestNotes?
    ) throws -> Written {
        let began = SystemTime.monotonicNanoseconds
        return try parser.read(body, header: header, expanding: true) { view in
            let columns = try Columns(view, endpoint: endpoint)
            let binary = try Self.isBinary(view)
            let summary = try predict(view, columns, on: endpoint, began: began)
            let length = write(summary, view, columns, binary: binary, of: endpoint)
            summary.finish(notes: notes)
            return Written(header: length, predictionID: summary.madeID)
        }
    }

    /// The scores of an endpoint for rows that came in another protocol.
    ///
    /// - Parameters:
    ///   - inputs: by the names of the endpoint's inputs.
    ///   - id: what the caller calls the request; empty where it says nothing.
    /// - Throws: as ``answer(_:_:header:)-(Endpoint,_,_)``.
    func scores(
        _ endpoint: Endpoint, _ inputs: [(name: String, tensor: Tensor)], id: String = ""
    ) throws -> (tensor: Tensor, summary: Summary) {
        let began = SystemTime.monotonicNanoseconds
        output.clear()
        output.append("{")
        if !id.isEmpty {
            output.append("\"id\":")
            output.append(jsonString: id)
            output.append(",")
        }
        output.append("\"inputs\":[")
        for (place, input) in inputs.enumerated() {
            output.append(place == 0 ? "{\"name\":" : ",{\"name\":")
            output.append(jsonString: input.name)
            output.append(",\"datatype\":\"")
            output.append(input.tensor.type.rawValue)
            output.append("\",\"shape\":")
            output.append(shape: input.tensor.shape)
            output.append(",\"parameters\":{\"binary_data_size\":")
            output.append(input.tensor.byteCount)
            output.append("}}")
        }
        output.append("]}")
        let header = output.count
        for input in inputs { input.tensor.withBytes { output.append($0) } }
        return try parser.read(output.bytes, header: header, expanding: true) { view in
            let summary = try predict(view, Columns(view, endpoint: endpoint), on: endpoint, began: began)
            return (try Tensor(.fp64, shape: [scores.count], values: scores), summary)
        }
    }

    /// What the rows of an answer have in common.
    struct Summary: Sendable {
        /// The endpoint.
        let name: String
        /// Nil where versions differ between rows, or there are none.
        var version: Int64?
        /// Of the last row.
        var arm = Arm.stable
        /// What its predictions are called, where the caller gave no id.
        var madeID: String?
        /// Of all rows.
        var times = StageTimes()
        /// Of the arm of the last row, which the request counts for; nil where there are no rows.
        var stages: StageHistograms?
        let began: UInt64

        /// Counts the request, once its answer is written.
        /// - Parameter notes: where its stages are told for a trace.
        @Sendable func finish(notes: RequestNotes?) {
            var times = times
            times.total = SystemTime.monotonicNanoseconds &- began
            times = times.fillingSerialise()
            stages?.observe(times)
            notes?.write(times, from: began, model: name, version: version.map { "\($0)" } ?? "", arm: arm)
        }
    }

    /// An answer that lies in `output`.
    struct Written: Sendable {
        /// How many bytes of it are JSON; nil where it is all JSON.
        let header: Int?
        /// What its record is called, where the caller gave no id.
        let predictionID: String?
    }

    /// What became of a request to a model.
    enum Reply {
        case answered(Written)
        /// It is to wait for its turn.
        case waits(ModelQuestion)
    }

    /// Answers a request to a model of the repository on this thread, where it does not have to wait.
    ///
    /// - Parameters:
    ///   - header: as for endpoints; 0 says that the body is the only input's elements.
    ///   - notes: where its stages are told for a trace.
    func answer(
        _ model: ServedModel, _ body: UnsafeRawBufferPointer, header: Int?, notes: RequestNotes?
    ) throws -> Reply {
        let question = try question(to: model, body, header: header)
        guard let outcome = try question.call.inferHere() else { return .waits(question) }
        return .answered(try output.answer(question, with: outcome, notes: notes))
    }

    /// Takes a request to a model out of its body.
    func question(to model: ServedModel, _ body: UnsafeRawBufferPointer, header: Int?) throws -> ModelQuestion {
        let began = SystemTime.monotonicNanoseconds
        if header == 0 { return try ModelQuestion(raw: body, to: model, began: began) }
        return try parser.read(body, header: header) { try ModelQuestion($0, to: model, began: began) }
    }

    /// Whether the score is asked for as bytes.
    private static func isBinary(_ view: mw_infer_view) throws -> Bool {
        let all = try view.parameters.bool("binary_data_output") ?? false
        let asked = UnsafeBufferPointer(start: view.outputs, count: view.output_count)
        for output in asked where !(output.name == Self.scoreName) {
            throw OpenInferenceFailure.unknownOutput(output.name.string, known: [Self.scoreName])
        }
        guard asked.count <= 1 else { throw OpenInferenceFailure.repeatedOutput(Self.scoreName) }
        return try asked.first?.parameters.bool("binary_data") ?? all
    }

    /// Answers all rows; `scores` has them afterwards.
    private func predict(
        _ view: mw_infer_view, _ columns: Columns, on endpoint: Endpoint, began: UInt64
    ) throws -> Summary {
        let base = UnsafeRawBufferPointer(start: view.id.text, count: view.has_id ? view.id.length : 0)
        guard base.count <= 240, !view.has_id || base.count > 0 else { throw OpenInferenceFailure.badID }
        scores.removeAll(keepingCapacity: true)
        var summary = Summary(name: endpoint.definition.name, began: began)
        summary.times.ingest = SystemTime.monotonicNanoseconds &- began
        if base.isEmpty { summary.madeID = random.identifier() }
        for row in 0..<columns.rows {
            setID(base, summary.madeID, row: row, of: columns.rows)
            let prediction = try predict(row, of: columns, ingest: summary.times.ingest, on: endpoint)
            summary.times.preprocess &+= prediction.featureNanoseconds
            summary.times.inference &+= prediction.inferenceNanoseconds
            summary.stages = prediction.stages
            if row == 0 {
                summary.version = prediction.version
            } else if summary.version != prediction.version {
                summary.version = nil
            }
            summary.arm = prediction.arm
            scores.append(prediction.output)
        }
        return summary
    }

    private func write(
        _ summary: Summary, _ view: mw_infer_view, _ columns: Columns, binary: Bool, of endpoint: Endpoint
    ) -> Int? {
        output.clear()
        output.append("{\"model_name\":")
        output.append(jsonString: endpoint.definition.name)
        if let version = summary.version {
            output.append(",\"model_version\":\"")
            output.append(Int(version))
            output.append("\"")
        }
        if view.has_id {
            output.append(",\"id\":")
            output.append(jsonString: view.id.bytes)
        }
        if columns.rows == 1 {
            output.append(",\"parameters\":{\"arm\":\"")
            output.append(summary.arm.name)
            output.append("\"}")
        }
        output.append(",\"outputs\":[{\"name\":\"score\",\"datatype\":\"FP64\",\"shape\":[")
        output.append(columns.rows)
        output.append("],")
        return scores.withUnsafeBytes { bytes in
            guard binary else {
                output.append("\"data\":[")
                output.append(elements: bytes, count: columns.rows, of: .fp64)
                output.append("]}]}")
                return nil
            }
            output.append("\"parameters\":{\"binary_data_size\":")
            output.append(bytes.count)
            output.append("}}]}")
            let header = output.count
            output.append(bytes)
            return header
        }
    }

    private func predict(
        _ row: Int, of columns: Columns, ingest: UInt64, on endpoint: Endpoint
    ) throws -> Prediction {
        keys.removeAll(keepingCapacity: true)
        for key in columns.keys { keys.append(Self.text(key, row)) }
        given.removeAll(keepingCapacity: true)
        for column in columns.given { given.append(GivenFeature(place: column.place, value: column.values[row])) }
        let features = endpoint.requestFeatures(slot: slot)
        for (index, column) in columns.request.enumerated() { features[index] = column[row] }
        let moment = try columns.time(row) ?? time.now.microseconds
        return try id.withUnsafeBytes { id in
            try keys.withUnsafeBufferPointer { keys in
                try given.withUnsafeBufferPointer { given in
                    try endpoint.predict(
                        PredictionRow(id: id, eventTime: moment, ingestNanoseconds: ingest), keys: keys, given: given,
                        slot: slot)
                }
            }
        }
    }

    /// The prediction's id: the request's own for one row, with the row's number behind it for several.
    private func setID(_ base: UnsafeRawBufferPointer, _ made: String?, row: Int, of rows: Int) {
        id.removeAll(keepingCapacity: true)
        if let made { id.append(contentsOf: made.utf8) } else { id.append(contentsOf: base) }
        if rows > 1 { id.append(contentsOf: "/\(row)".utf8) }
    }

    private static func text(_ tensor: mw_tensor, _ row: Int) -> UnsafeRawBufferPointer {
        guard let texts = tensor.texts, row < tensor.count else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: texts[row].text, count: texts[row].length)
    }
}
