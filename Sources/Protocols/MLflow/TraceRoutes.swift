import Basics
import Documents
import Experiments
import HTTP
import Security

extension MLflow {
    private static let spansPath = "/v1/traces"
    private static let experimentHeader = "x-mlflow-experiment-id"

    func installTraces(on router: Router) {
        router.errorShape(prefix: Self.spansPath) { MLflowProblem(unhandled: $0).response }
        router.post(Self.spansPath, needs: .right(to: .experiment)) { request in
            do { return try await keepSpans(request) } catch {
                return MLflowProblem(error, requestID: request.requestID).response
            }
        }
        let path = "/traces"
        call(.post, path, version: "3.0", needs: .experiment, on: router) { fields, _ in
            let info = try Self.traceInfo(try fields.message("trace").message("trace_info"))
            return Self.answer(try await experiments.keepTrace(info))
        }
        call(.get, "\(path)/{id}", version: "3.0", needs: .read, on: router) { _, request in
            Self.answer(try await experiments.trace(try request.parameter("id")))
        }
        call(.get, "\(path)/get", version: "3.0", needs: .read, on: router) { fields, _ in
            let id = try fields.text("trace_id")
            let trace = try await whole(try await experiments.trace(id))
            guard try fields.flag("allow_partial") || trace.isWhole else {
                throw ExperimentsFailure.unfinishedTrace(id)
            }
            return Answer(capacity: trace.capacity) { $0.object("trace") { $0.members(of: trace) } }
        }
        call(.get, "\(path)/batchGet", version: "3.0", needs: .read, on: router) { fields, _ in
            var traces: [WholeTrace] = []
            for info in try await experiments.traces(try Self.traceIDs(fields)) {
                let trace = try await whole(info)
                if trace.isWhole { traces.append(trace) }
            }
            return Answer(capacity: traces.reduce(64) { $0 + $1.capacity }) {
                $0.objects("traces", traces) { $0.members(of: $1) }
            }
        }
        call(.post, "\(path)/batchGetInfos", version: "3.0", needs: .read, on: router) { fields, _ in
            let traces = try await experiments.traces(try Self.traceIDs(fields))
            return Answer { $0.objects("trace_infos", traces) { $0.members(of: $1) } }
        }
        call(.post, "\(path)/search", version: "3.0", needs: .read, on: router) { fields, _ in
            try await searchTraces(fields)
        }
        for version in ["2.0", "3.0"] {
            call(.patch, "\(path)/{id}/tags", version: version, needs: .experiment, on: router) { fields, request in
                let tag = Pair(key: try fields.text("key"), value: try fields.optionalText("value") ?? "")
                try await experiments.setTag(tag, ofTrace: try request.parameter("id"))
                return .empty
            }
            call(.delete, "\(path)/{id}/tags", version: version, needs: .experiment, on: router) { fields, request in
                try await experiments.deleteTag(try fields.text("key"), ofTrace: try request.parameter("id"))
                return .empty
            }
            call(.post, "\(path)/delete-traces", version: version, needs: .experiment, on: router) { fields, request in
                let count = try await experiments.deleteTraces(
                    try Self.selection(fields), of: try Self.experimentID(fields), by: Self.principal(request))
                return Answer { $0.member("traces_deleted", Int64(count)) }
            }
        }
    }

    /// Takes spans from any OpenTelemetry exporter that names the experiment in a header.
    private func keepSpans(_ request: HTTPRequest) async throws -> HTTPResponse {
        let type = request.header("Content-Type") ?? ""
        guard type.split(separator: ";").first == "application/x-protobuf" else {
            throw MLflowFailure.invalid("Invalid Content-Type: '\(type)'. Expected: application/x-protobuf")
        }
        let coding = request.header("Content-Encoding") ?? "identity"
        guard coding == "identity" else {
            throw MLflowFailure.invalid("Invalid Content-Encoding: '\(coding)'. Send spans as they are.")
        }
        guard let experiment = request.header(Self.experimentHeader) else {
            throw MLflowFailure.missing(Self.experimentHeader)
        }
        guard !request.body.isEmpty else {
            throw MLflowFailure.invalid("Invalid OpenTelemetry format - no spans found")
        }
        let spans = try SpanIntake.spans(request.body)
        try await experiments.keep(spans, in: try Self.experimentID(experiment))
        return .bytes([], contentType: "application/x-protobuf")
    }

    private func searchTraces(_ fields: Fields) async throws -> Answer {
        let locations = try fields.messages("locations")
        guard locations.count <= Self.experimentsMax else {
            throw fields.wrong(
                "\(locations.count) locations", "locations", "It must have at most \(Self.experimentsMax)")
        }
        let ids = try locations.compactMap { location -> Int64? in
            guard let experiment = try? location.message("mlflow_experiment") else { return nil }
            return try Self.experimentID(experiment)
        }
        let page = try await experiments.searchTraces(
            of: ids, try SearchFilter(try fields.optionalText("filter") ?? "", .traces),
            order: try SearchOrder.keys(try fields.texts("order_by"), .traces),
            limit: try fields.limit(standard: 100, most: 500), offset: try PageToken.offset(fields))
        return Answer(capacity: 64 + page.items.count * 1024) { writer in
            writer.objects("traces", page.items) { $0.members(of: $1) }
            if let next = page.next { writer.member("next_page_token", PageToken.text(next)) }
        }
    }

    private func whole(_ info: TraceInfo) async throws -> WholeTrace {
        WholeTrace(info: info, spans: try await experiments.spans(of: info.id))
    }

    private static func traceIDs(_ fields: Fields) throws -> [String] {
        let ids = try fields.texts("trace_ids")
        guard !ids.isEmpty else { throw MLflowFailure.missing("trace_ids") }
        return ids
    }

    private static func selection(_ fields: Fields) throws -> ExperimentStore.TraceSelection {
        let ids = try fields.texts("request_ids")
        let latest = try fields.optionalMoment("max_timestamp_millis")
        let limit = try fields.optionalInteger("max_traces")
        guard ids.isEmpty != (latest == nil) else {
            throw MLflowFailure.invalid("Either `max_timestamp_millis` or `trace_ids` must be specified, not both.")
        }
        guard let latest else {
            guard limit == nil else {
                throw MLflowFailure.invalid("`max_traces` can't be specified if `trace_ids` is specified.")
            }
            return .these(ids)
        }
        guard limit ?? 1 > 0 else {
            throw MLflowFailure.invalid("`max_traces` must be a positive integer, received \(limit ?? 0).")
        }
        // All that began within the millisecond.
        let end = latest.microseconds.addingReportingOverflow(999)
        return .until(
            end.overflow ? .distantFuture : Timestamp(microseconds: end.partialValue),
            limit: limit.map(Int.init(clamping:)))
    }

    private static func traceInfo(_ fields: Fields) throws -> TraceInfo {
        guard let started = Timestamp(try fields.text("request_time")) else {
            throw fields.wrong("\"\(try fields.text("request_time"))\"", "request_time", "it must be in RFC 3339")
        }
        let location = try fields.message("trace_location").message("mlflow_experiment")
        return TraceInfo(
            id: try fields.text("trace_id"), experiment: try experimentID(location), started: started,
            duration: try duration(fields),
            state: try fields.choice("state", [.good, .failed, .running, .unspecified]) ?? TraceState.unspecified,
            clientRequest: try fields.optionalText("client_request_id"),
            requestPreview: try fields.optionalText("request_preview"),
            responsePreview: try fields.optionalText("response_preview"), metadata: try fields.map("trace_metadata"),
            tags: try fields.map("tags"))
    }

    /// Seconds with a fraction and an `s`, as Protocol Buffers write a duration in JSON; here in microseconds.
    private static func duration(_ fields: Fields) throws -> Int64? {
        guard let text = try fields.optionalText("execution_duration") else { return nil }
        guard text.hasSuffix("s"), let seconds = Double(text.dropLast()), seconds >= 0, seconds < 1e12 else {
            throw fields.wrong("\"\(text)\"", "execution_duration", "it must be seconds such as \"1.5s\"")
        }
        return Int64((seconds * 1e6).rounded())
    }

    private static func answer(_ info: TraceInfo) -> Answer {
        Answer(capacity: 1024) { $0.object("trace") { $0.object("trace_info") { $0.members(of: info) } } }
    }
}

/// A trace with its spans, each a JSON document.
private struct WholeTrace {
    var info: TraceInfo
    var spans: [[UInt8]]

    /// How many bytes it has in an answer, about.
    var capacity: Int { spans.reduce(1024) { $0 + $1.count + 1 } }

    /// Whether all spans have come that the client counted at the end; a trace that it has not ended never is.
    var isWhole: Bool {
        guard let text = info.metadata.first(where: { $0.key == "mlflow.trace.sizeStats" })?.value,
            let wanted = (try? JSONTree.value(Array(text.utf8)))?["num_spans"]?.integer
        else { return info.state != .running }
        return Int64(spans.count) >= wanted
    }
}

extension JSONWriter {
    fileprivate mutating func members(of trace: WholeTrace) {
        object("trace_info") { $0.members(of: trace.info) }
        array("spans") { writer in for span in trace.spans { writer.element(json: span) } }
    }

    fileprivate mutating func members(of trace: TraceInfo) {
        member("trace_id", trace.id)
        if let name = trace.clientRequest { member("client_request_id", name) }
        object("trace_location") { writer in
            writer.member("type", "MLFLOW_EXPERIMENT")
            writer.object("mlflow_experiment") { $0.member("experiment_id", String(trace.experiment)) }
        }
        if let text = trace.requestPreview { member("request_preview", text) }
        if let text = trace.responsePreview { member("response_preview", text) }
        member("request_time", trace.started.description)
        if let duration = trace.duration { member("execution_duration", Self.seconds(duration)) }
        member("state", trace.state.rawValue)
        object("trace_metadata") { writer in for pair in trace.metadata { writer.member(named: pair.key, pair.value) } }
        object("tags") { writer in for pair in trace.tags { writer.member(named: pair.key, pair.value) } }
    }

    /// Microseconds as seconds with six digits after the point, and an `s`.
    private static func seconds(_ microseconds: Int64) -> String {
        let (whole, rest) = max(microseconds, 0).quotientAndRemainder(dividingBy: 1_000_000)
        let digits = String(rest)
        return "\(whole).\(String(repeating: "0", count: max(6 - digits.count, 0)))\(digits)s"
    }
}
