import Basics
import Documents
import Experiments

/// Spans as OpenTelemetry's exporters send them (`ExportTraceServiceRequest`, OTLP 1.7 in its binary form).
enum SpanIntake {
    private static let input = "mlflow.spanInputs"
    private static let output = "mlflow.spanOutputs"

    /// The spans of an export, whichever resource and scope they are of.
    /// - Throws: ``MLflowFailure/invalid(_:)``.
    static func spans(_ body: [UInt8]) throws -> [TraceSpan] {
        try parts(body[...], 1).flatMap { resource in
            try parts(resource, 2).flatMap { scope in try parts(scope, 2).map(span) }
        }
    }

    private static func span(_ bytes: ArraySlice<UInt8>) throws -> TraceSpan {
        var (trace, id, parent, name) = ("", "", "", "")
        var (started, ended): (UInt64, UInt64) = (0, 0)
        var hasFailed = false
        var texts: [String: String] = [:]
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (1, .bytes(let bytes)): trace = hexadecimal(bytes)
            case (2, .bytes(let bytes)): id = hexadecimal(bytes)
            case (4, .bytes(let bytes)): parent = hexadecimal(bytes)
            case (5, .bytes(let bytes)): name = String(decoding: bytes, as: UTF8.self)
            case (7, .fixed64(let time)): started = time
            case (8, .fixed64(let time)): ended = time
            case (9, .bytes(let bytes)): try note(bytes, in: &texts)
            case (15, .bytes(let bytes)): hasFailed = try isError(bytes)
            default: continue
            }
        }
        guard trace.utf8.count == 32, id.utf8.count == 16 else {
            throw MLflowFailure.invalid("Cannot convert OpenTelemetry span to MLflow span: its ids are missing")
        }
        var writer = JSONWriter(capacity: bytes.count * 2)
        try writer.object { try SpanMessage.span.write(bytes, to: &$0) }
        return TraceSpan(
            trace: "tr-\(trace)", id: id, parent: parent.isEmpty ? nil : parent, name: name, started: moment(started),
            ended: ended == 0 ? nil : moment(ended), hasFailed: hasFailed, input: texts[input],
            output: texts[output], content: writer.bytes)
    }

    /// Notes an attribute that is text and shown in lists of traces.
    private static func note(_ attribute: ArraySlice<UInt8>, in texts: inout [String: String]) throws {
        guard let key = try parts(attribute, 1).last.map({ String(decoding: $0, as: UTF8.self) }),
            key == input || key == output, let value = try parts(attribute, 2).last,
            let text = try parts(value, 1).last
        else { return }
        texts[key] = String(decoding: text, as: UTF8.self)
    }

    private static func isError(_ status: ArraySlice<UInt8>) throws -> Bool {
        var reader = ProtobufReader(status)
        var code: UInt64 = 0
        while let (number, value) = try reader.next() {
            if number == 3, case .varint(let found) = value { code = found }
        }
        return code == 2
    }

    /// The values of a field that are messages, texts or bytes.
    private static func parts(_ message: ArraySlice<UInt8>, _ wanted: Int) throws -> [ArraySlice<UInt8>] {
        var reader = ProtobufReader(message)
        var found: [ArraySlice<UInt8>] = []
        while let (number, value) = try reader.next() {
            if number == wanted, case .bytes(let bytes) = value { found.append(bytes) }
        }
        return found
    }

    private static func moment(_ nanoseconds: UInt64) -> Timestamp {
        Timestamp(microseconds: Int64(clamping: nanoseconds / 1000))
    }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.map { $0 < 16 ? "0\(String($0, radix: 16))" : String($0, radix: 16) }.joined()
    }
}
