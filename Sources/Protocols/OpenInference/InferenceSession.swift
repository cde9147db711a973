import Basics
import CSimdJSON
import HTTP
import Serving
import Telemetry

/// Answers infer requests on one network thread: parser, row scratch and output buffer are its own, so that a request
/// allocates next to nothing.
final class InferenceSession: @unchecked Sendable {
    private let parser: OpaquePointer?
    private let slot: Int
    private let table: EndpointTable
    private let time: any TimeSource
    private let random: any RandomSource
    private let output = OutputBuffer()
    private var keys: [UnsafeRawBufferPointer] = []
    private var id: [UInt8] = []
    private let stages: Stages
    private var known: [String: Endpoint] = [:]
    private var knownGeneration = -1
    static let rowsMax = 10_000
    static let bodyBytesMax = 16 << 20

    /// Histograms of the stages of a request.
    struct Stages: Sendable {
        let parse: Histogram
        let features: Histogram
        let inference: Histogram
    }

    init(
        slot: Int, table: EndpointTable, time: any TimeSource, random: any RandomSource, stages: Stages
    ) {
        parser = mw_json_parser_new(Self.bodyBytesMax, 64)
        self.slot = slot
        self.table = table
        self.time = time
        self.random = random
        self.stages = stages
    }

    deinit { mw_json_parser_free(parser) }

    /// Answers one request; the answer is valid until the next one.
    ///
    /// - Throws: a `Failure` that says what is wrong with the request or why there is no answer.
    func answer(_ name: String, _ body: UnsafeRawBufferPointer) throws -> UnsafeRawBufferPointer {
        let started = SystemTime.monotonicNanoseconds
        let endpoint = try endpoint(name)
        var view = mw_infer_view()
        var problem = mw_json_error()
        let status = mw_infer_parse(parser, body.baseAddress, body.count, &view, &problem)
        guard status == MW_JSON_OK else { throw Self.failure(status, problem) }
        let columns = try Columns(view, endpoint: endpoint)
        stages.parse.observe(nanoseconds: SystemTime.monotonicNanoseconds &- started)
        try predict(view, columns, on: endpoint)
        return UnsafeRawBufferPointer(start: output.start, count: output.count)
    }

    /// The endpoint of a name, found again without a lock as long as none was added or replaced.
    private func endpoint(_ name: String) throws -> Endpoint {
        let generation = table.generation
        if generation != knownGeneration {
            known = [:]
            knownGeneration = generation
        }
        if let endpoint = known[name] { return endpoint }
        let endpoint = try table.endpoint(name)
        known[name] = endpoint
        return endpoint
    }

    private func predict(_ view: mw_infer_view, _ columns: Columns, on endpoint: Endpoint) throws {
        output.clear()
        append("{\"model_name\":")
        append(jsonString: endpoint.definition.name)
        let base = UnsafeRawBufferPointer(start: view.id.text, count: view.has_id ? view.id.length : 0)
        guard base.count <= 240, !view.has_id || base.count > 0 else { throw OpenInferenceFailure.badID }
        if view.has_id {
            append(",\"id\":")
            append(jsonString: base)
        }
        append(",\"outputs\":[{\"name\":\"score\",\"datatype\":\"FP64\",\"shape\":[\(columns.rows)],\"data\":[")
        var versions: (first: Int64, mixed: Bool) = (0, false)
        var arm = Arm.stable
        for row in 0..<columns.rows {
            setID(base, row: row, of: columns.rows)
            keys.removeAll(keepingCapacity: true)
            for key in columns.keys { keys.append(Self.text(key, row)) }
            let features = endpoint.requestFeatures(slot: slot)
            for (index, column) in columns.request.enumerated() { features[index] = column[row] }
            let moment = try columns.time(row) ?? time.now.microseconds
            let prediction = try id.withUnsafeBytes { id in
                try keys.withUnsafeBufferPointer { keys in
                    try endpoint.predict(PredictionRow(id: id, eventTime: moment), keys: keys, slot: slot)
                }
            }
            stages.features.observe(nanoseconds: prediction.featureNanoseconds)
            stages.inference.observe(nanoseconds: prediction.inferenceNanoseconds)
            if row == 0 { versions.first = prediction.version } else { append(",") }
            if versions.first != prediction.version { versions.mixed = true }
            arm = prediction.arm
            append(prediction.output)
        }
        append("]}]")
        // The version comes last because it is known only when the rows have been answered.
        if columns.rows > 0, !versions.mixed { append(",\"model_version\":\"\(versions.first)\"") }
        if columns.rows == 1 { append(",\"parameters\":{\"arm\":\"\(arm.name)\"}") }
        append("}")
    }

    /// The prediction's id: the request's own for one row, with the row's number behind it for several.
    private func setID(_ base: UnsafeRawBufferPointer, row: Int, of rows: Int) {
        id.removeAll(keepingCapacity: true)
        if base.isEmpty {
            id.append(contentsOf: random.identifier().utf8)
        } else {
            id.append(contentsOf: base)
        }
        if rows > 1 { id.append(contentsOf: "/\(row)".utf8) }
    }

    private static func text(_ tensor: mw_tensor, _ row: Int) -> UnsafeRawBufferPointer {
        guard let texts = tensor.texts, row < tensor.count else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: texts[row].text, count: texts[row].length)
    }

    private func append(_ text: StaticString) {
        output.append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private func append(_ text: String) {
        var text = text
        text.withUTF8 { output.append(UnsafeRawBufferPointer($0)) }
    }

    private func append(_ value: Double) {
        output.append(capacity: MW_NUMBER_CAPACITY) { mw_double_format($0, value) }
    }

    private func append(jsonString text: String) {
        var text = text
        text.withUTF8 { append(jsonString: UnsafeRawBufferPointer($0)) }
    }

    private func append(jsonString text: UnsafeRawBufferPointer) {
        let capacity = 6 * text.count + 2
        output.append(capacity: capacity) {
            mw_json_escape($0, capacity, text.assumingMemoryBound(to: CChar.self).baseAddress, text.count)
        }
    }

    private static func failure(_ status: mw_json_status, _ problem: mw_json_error) -> OpenInferenceFailure {
        func string<Characters>(_ characters: Characters) -> String {
            withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return .malformed(string(problem.message), where: string(problem.where), limit: status == MW_JSON_LIMIT)
    }
}
