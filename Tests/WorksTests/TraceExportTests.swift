import Basics
import Foundation
import HTTP
import Inference
import Serving
import Synchronization
import Telemetry
import TestSupport
import Testing
import Works

/// A server and a receiver of OTLP, each on a socket of its own.
@Suite(.timeLimit(.minutes(1))) struct TraceExportTests {
    @Test func spansArriveAsTheSpecificationHasThem() async throws {
        let documents = Mutex<[JSONValue]>([])
        let inbox = Router()
        inbox.post("/v1/traces") { request in
            guard request.header("Content-Type") == "application/json" else { return .text("", status: .badRequest) }
            let document = try request.json(JSONValue.self)
            documents.withLock { $0.append(document) }
            return try .json(["partialSuccess": [String: String]()])
        }
        let receiver = HTTPServer(
            configuration: HTTPServerConfiguration(), router: inbox, log: .silent, metrics: MetricsRegistry())
        let port = try receiver.start()
        let folder = try TemporaryFolder()
        try folder.write("2", to: "models/double.onnx")
        var repository = RepositoryOptions(folder: folder("models"))
        repository.load = { Multiplier(factor: Double(try String(contentsOfFile: $0, encoding: .utf8)) ?? 0) }
        var options = ModelServerOptions(repository)
        options.port = 0
        options.grpcPort = nil
        options.logSink = .none()
        options.gateway.tracesURL = "http://127.0.0.1:\(port)"
        options.gateway.traceShare = 0
        let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
        let before = SystemTime().now
        try await FolderServer.run(options) { address in
            let client = try HTTPClient(baseURL: address.url, connections: 1)
            let answer = try await FolderServer.send(
                client, "double", 4, headers: ["traceparent": "00-\(trace)-\(parent)-01", "X-Request-Id": "r-1"])
            #expect(try await FolderServer.number(answer) == 8)
            // Neither of these is kept: no trace, one that its caller does not keep, and what is no trace at all.
            for header in [nil, "00-\(trace)-\(parent)-00", "00-\(trace)-0000000000000000-01", "x"] {
                var headers: HTTPHeaders = [:]
                headers["traceparent"] = header
                #expect(try await FolderServer.send(client, "double", 4, headers: headers).status == .ok)
            }
        }
        await receiver.shutdown(drainSeconds: 1)
        let spans = documents.withLock { $0 }.flatMap { document in
            (document["resourceSpans"]?.array ?? []).flatMap { resource in
                #expect(
                    resource["resource"]?["attributes"] == [
                        ["key": "service.name", "value": ["stringValue": "modelworks"]]
                    ])
                return (resource["scopeSpans"]?.array ?? []).flatMap { $0["spans"]?.array ?? [] }
            }
        }
        // The request, and five stages below it.
        #expect(spans.count == 6)
        let span = try #require(spans.first { $0["parentSpanId"]?.string == parent })
        #expect(span["traceId"]?.string == trace && span["parentSpanId"]?.string == parent)
        #expect(span["spanId"]?.string?.utf8.count == 16 && span["spanId"]?.string != parent)
        #expect(span["kind"]?.integer == 2 && span["name"]?.string == "POST /v2/models/{name}/infer")
        let start = try #require(span["startTimeUnixNano"]?.string.flatMap(Int64.init))
        let end = try #require(span["endTimeUnixNano"]?.string.flatMap(Int64.init))
        #expect(start < end && start >= (before.microseconds - 1_000_000) * 1000)
        func attribute(_ key: String) -> JSONValue? {
            span["attributes"]?.array?.first { $0["key"]?.string == key }?["value"]
        }
        #expect(attribute("http.response.status_code") == ["intValue": "200"])
        #expect(attribute("http.route") == ["stringValue": "/v2/models/{name}/infer"])
        #expect(attribute("modelworks.request_id") == ["stringValue": "r-1"])
        #expect(attribute("modelworks.model") == ["stringValue": "double"])
        let stages = spans.filter { $0["parentSpanId"] == span["spanId"] }
        #expect(
            stages.compactMap { $0["name"]?.string } == [
                "ingest", "preprocess", "inference", "postprocess", "serialise",
            ])
        #expect(Set(spans.compactMap { $0["spanId"]?.string }).count == 6)
        var last = start
        for stage in stages {
            #expect(stage["traceId"]?.string == trace && stage["kind"]?.integer == 1)
            let begun = try #require(stage["startTimeUnixNano"]?.string.flatMap(Int64.init))
            let ended = try #require(stage["endTimeUnixNano"]?.string.flatMap(Int64.init))
            // One behind the other, within the request; the clock of moments has whole microseconds.
            #expect(begun >= last && ended >= begun && ended <= end + 1000)
            last = ended
            let told = Dictionary(
                uniqueKeysWithValues: (stage["attributes"]?.array ?? []).compactMap { attribute in
                    attribute["key"]?.string.map { ($0, attribute["value"]?["stringValue"]?.string) }
                })
            #expect(
                told == ["modelworks.model": "double", "modelworks.version": "1", "modelworks.arm": "stable"])
        }
    }

    /// A trace's notes are only looked at where the trace is kept.
    @Test func stepsAreToldOnlyOfRequestsThatAreKept() async throws {
        let told = Mutex<[String]>([])
        let made = Atomic<Int>(0)
        let exporter = TraceExporter(
            service: "s", share: 0, time: SystemTime(), random: SystemRandom(), metrics: MetricsRegistry()
        ) { document in
            let value = try JSON.decode(JSONValue.self, from: document)
            let spans = value["resourceSpans"]?.array?.first?["scopeSpans"]?.array?.first?["spans"]?.array ?? []
            told.withLock { $0 += spans.compactMap { $0["name"]?.string } }
        }
        for (status, trace) in [
            (200, nil), (500, nil), (200, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ] {
            var record = RequestRecord(
                scheme: "HTTP/1.1", method: "GET", path: "/", remote: "", requestID: "", start: 0)
            record.route = "/"
            record.status = status
            record.trace = trace
            record.notes.write {
                made.add(1, ordering: .relaxed)
                return RequestNotes.Content(attributes: [], steps: [.init("step \(status)", start: 0, nanoseconds: 5)])
            }
            exporter.ended(record)
        }
        await exporter.flush()
        #expect(told.withLock { $0 } == ["GET /", "step 500", "GET /", "step 200"])
        #expect(made.load(ordering: .acquiring) == 2)
    }

    @Test func spansThatNobodyTakesAreDroppedAndCounted() async throws {
        struct Away: Error {}
        let metrics = MetricsRegistry()
        let isAway = Atomic<Bool>(false)
        let taken = Atomic<Int>(0)
        let exporter = TraceExporter(
            service: "s", share: 1, capacity: 700, time: SystemTime(), random: SystemRandom(), metrics: metrics
        ) { document in
            if isAway.load(ordering: .acquiring) { throw Away() }
            let value = try JSON.decode(JSONValue.self, from: document)
            let spans = value["resourceSpans"]?.array?.first?["scopeSpans"]?.array?.first?["spans"]?.array ?? []
            taken.add(spans.count, ordering: .relaxed)
        }
        func tell(_ count: Int) {
            for _ in 0..<count {
                exporter.ended(
                    RequestRecord(scheme: "HTTP/1.1", method: "GET", path: "/", remote: "", requestID: "", start: 0))
            }
        }
        tell(1000)
        await exporter.flush()
        let first = taken.load(ordering: .acquiring)
        #expect(first == 700)
        isAway.store(true, ordering: .releasing)
        tell(10)
        await exporter.flush()
        let text = metrics.prometheusText()
        #expect(text.contains("modelworks_spans_total{outcome=\"exported\"} 700"))
        #expect(text.contains("modelworks_spans_total{outcome=\"dropped\"} 310"))
    }
}
