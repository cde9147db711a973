import Basics
import Synchronization

/// Makes a span of each request that is sampled, and hands them over in batches as OTLP's JSON
/// (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
///
/// A request whose caller is traced is a part of that trace, and kept where the caller keeps it; of the others a share is kept,
/// and every one for whose failure the server is to blame. The steps that its ``RequestNotes`` tell of are spans below its own.
/// Spans wait in memory, as many as `capacity`: what comes beyond
/// that is dropped and counted, as is what the receiver does not take.
public final class TraceExporter: RequestObserver {
    /// Hands one document over; throws where it was not taken.
    public typealias Send = @Sendable ([UInt8]) async throws -> Void

    private struct Span: Sendable {
        let record: RequestRecord
        let context: TraceContext?
        let traceID: String
        let spanID: String
        let end: Timestamp
        let content: RequestNotes.Content?
        /// The span identifiers of its steps.
        let stepIDs: [String]
    }

    private static let batchMax = 512

    private let service: String
    private let share: Double
    private let capacity: Int
    private let time: any TimeSource
    private let random: any RandomSource
    private let send: Send
    private let waiting = Mutex<[Span]>([])
    private let exported: Counter
    private let dropped: Counter

    /// - Parameters:
    ///   - service: what the receiver calls this server, `service.name`.
    ///   - share: of requests without a caller's trace, from 0 to 1.
    ///   - metrics: gets `modelworks_spans_total{outcome=exported|dropped}`.
    public init(
        service: String, share: Double, capacity: Int = 8192, time: any TimeSource, random: any RandomSource,
        metrics: MetricsRegistry, send: @escaping Send
    ) {
        self.service = service
        self.share = min(1, max(0, share))
        self.capacity = max(1, capacity)
        self.time = time
        self.random = random
        self.send = send
        func counter(_ outcome: String) -> Counter {
            metrics.counter(
                "modelworks_spans_total", help: "Spans of traces by what became of them.", labels: ["outcome": outcome])
        }
        exported = counter("exported")
        dropped = counter("dropped")
    }

    public func ended(_ record: RequestRecord) {
        let context = record.trace.flatMap(TraceContext.init)
        let isKept = context?.isSampled ?? (share >= 1 || Double(random.next() >> 11) * 0x1p-53 < share)
        guard isKept || record.hasFailed else { return }
        let content = record.notes.content
        let span = Span(
            record: record, context: context,
            traceID: context?.traceID ?? hex(random.next()) + hex(random.next() | 1), spanID: hex(random.next() | 1),
            end: time.now, content: content, stepIDs: (content?.steps ?? []).map { _ in hex(random.next() | 1) })
        let isFull = waiting.withLock { waiting in
            guard waiting.count < capacity else { return true }
            waiting.append(span)
            return false
        }
        if isFull { dropped.increment() }
    }

    /// Hands over what waits; to be called every second or so, and at the end.
    public func flush() async {
        while true {
            let spans = waiting.withLock { waiting in
                let spans = Array(waiting.prefix(Self.batchMax))
                waiting.removeFirst(spans.count)
                return spans
            }
            guard !spans.isEmpty else { return }
            do {
                try await send(try JSON.canonical(document(spans)))
                exported.increment(by: UInt64(spans.count))
            } catch {
                // Keeping them would only fill the memory: a receiver that is away misses what happens meanwhile.
                dropped.increment(by: UInt64(spans.count))
                return
            }
        }
    }

    private func document(_ spans: [Span]) -> JSONValue {
        [
            "resourceSpans": [
                [
                    "resource": ["attributes": [Self.attribute("service.name", .string(service))]],
                    "scopeSpans": [["scope": ["name": "modelworks"], "spans": .array(spans.flatMap(json))]],
                ]
            ]
        ]
    }

    /// Numbers of 64 bits are text, and enumerations numbers, as OTLP's JSON has them.
    private func json(_ span: Span) -> [JSONValue] {
        let record = span.record
        let end = UInt64(clamping: span.end.microseconds) &* 1000
        let start = end > record.nanoseconds ? end - record.nanoseconds : 0
        let isCall = record.scheme == "gRPC"
        var attributes: [JSONValue] = [
            Self.attribute("url.path", .string(record.path)), Self.attribute("client.address", .string(record.remote)),
            Self.attribute("modelworks.request_id", .string(record.requestID)),
        ]
        if isCall {
            attributes.append(Self.attribute("rpc.system", "grpc"))
            attributes.append(Self.attribute("rpc.grpc.status_code", .integer(Int64(record.status))))
        } else {
            attributes.append(Self.attribute("http.request.method", .string(record.method)))
            attributes.append(Self.attribute("http.response.status_code", .integer(Int64(record.status))))
            if !record.route.isEmpty { attributes.append(Self.attribute("http.route", .string(record.route))) }
        }
        if let principal = record.principal { attributes.append(Self.attribute("enduser.id", .string(principal))) }
        if let agent = record.agent { attributes.append(Self.attribute("user_agent.original", .string(agent))) }
        for (name, value) in span.content?.attributes ?? [] { attributes.append(Self.attribute(name, .string(value))) }
        let name = isCall ? String(record.route.drop { $0 == "/" }) : "\(record.method) \(record.route)"
        var members: [String: JSONValue] = [
            "traceId": .string(span.traceID), "spanId": .string(span.spanID), "name": .string(name),
            "kind": 2, "startTimeUnixNano": .string("\(start)"), "endTimeUnixNano": .string("\(end)"),
            "attributes": .array(attributes), "status": record.hasFailed ? ["code": 2] : [:],
        ]
        if let context = span.context { members["parentSpanId"] = .string(context.parentID) }
        return [.object(members)] + steps(span, from: start)
    }

    /// A span for each step of a request, below the request's own.
    private func steps(_ span: Span, from start: UInt64) -> [JSONValue] {
        let attributes = (span.content?.attributes ?? []).map { Self.attribute($0.name, .string($0.value)) }
        return zip(span.content?.steps ?? [], span.stepIDs).map { step, id in
            let begun = start &+ (step.start > span.record.start ? step.start - span.record.start : 0)
            return [
                "traceId": .string(span.traceID), "spanId": .string(id), "parentSpanId": .string(span.spanID),
                "name": .string(step.name), "kind": 1, "startTimeUnixNano": .string("\(begun)"),
                "endTimeUnixNano": .string("\(begun &+ step.nanoseconds)"), "attributes": .array(attributes),
                "status": [:],
            ]
        }
    }

    private static func attribute(_ key: String, _ value: JSONValue) -> JSONValue {
        let typed: JSONValue =
            switch value {
            case .integer(let number): ["intValue": .string("\(number)")]
            default: ["stringValue": value]
            }
        return ["key": .string(key), "value": typed]
    }

    private func hex(_ word: UInt64) -> String {
        let text = String(word, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
