import Documents
import Sealing

/// The messages of OpenTelemetry's traces, which are read from their binary form and written as JSON.
///
/// Names and numbers are those of `opentelemetry/proto/trace/v1/trace.proto` and `common/v1/common.proto` 1.7; the JSON is
/// the canonical one of Protocol Buffers with the names of the fields as they are, which MLflow's clients read.
enum SpanMessage {
    case span, event, link, status, keyValue, anyValue, arrayValue, keyValueList

    private enum Kind {
        case bytes, text, unsigned, signed, truth, double
        /// 64-bit numbers are text in JSON.
        case nanoseconds
        case choice([StaticString])
        case message(SpanMessage)
    }

    private struct Field {
        let name: StaticString
        let kind: Kind
        var isList = false
    }

    private func field(_ number: Int) -> Field? {
        switch (self, number) {
        case (.span, 1), (.link, 1): Field(name: "trace_id", kind: .bytes)
        case (.span, 2), (.link, 2): Field(name: "span_id", kind: .bytes)
        case (.span, 3), (.link, 3): Field(name: "trace_state", kind: .text)
        case (.span, 4): Field(name: "parent_span_id", kind: .bytes)
        case (.span, 5), (.event, 2): Field(name: "name", kind: .text)
        case (.span, 6): Field(name: "kind", kind: .choice(Self.kinds))
        case (.span, 7): Field(name: "start_time_unix_nano", kind: .nanoseconds)
        case (.span, 8): Field(name: "end_time_unix_nano", kind: .nanoseconds)
        case (.span, 9), (.event, 3), (.link, 4):
            Field(name: "attributes", kind: .message(.keyValue), isList: true)
        case (.span, 10), (.event, 4), (.link, 5): Field(name: "dropped_attributes_count", kind: .unsigned)
        case (.span, 11): Field(name: "events", kind: .message(.event), isList: true)
        case (.span, 12): Field(name: "dropped_events_count", kind: .unsigned)
        case (.span, 13): Field(name: "links", kind: .message(.link), isList: true)
        case (.span, 14): Field(name: "dropped_links_count", kind: .unsigned)
        case (.span, 15): Field(name: "status", kind: .message(.status))
        case (.span, 16), (.link, 6): Field(name: "flags", kind: .unsigned)
        case (.event, 1): Field(name: "time_unix_nano", kind: .nanoseconds)
        case (.status, 2): Field(name: "message", kind: .text)
        case (.status, 3): Field(name: "code", kind: .choice(Self.codes))
        case (.keyValue, 1): Field(name: "key", kind: .text)
        case (.keyValue, 2): Field(name: "value", kind: .message(.anyValue))
        case (.anyValue, 1): Field(name: "string_value", kind: .text)
        case (.anyValue, 2): Field(name: "bool_value", kind: .truth)
        case (.anyValue, 3): Field(name: "int_value", kind: .signed)
        case (.anyValue, 4): Field(name: "double_value", kind: .double)
        case (.anyValue, 5): Field(name: "array_value", kind: .message(.arrayValue))
        case (.anyValue, 6): Field(name: "kvlist_value", kind: .message(.keyValueList))
        case (.anyValue, 7): Field(name: "bytes_value", kind: .bytes)
        case (.arrayValue, 1): Field(name: "values", kind: .message(.anyValue), isList: true)
        case (.keyValueList, 1): Field(name: "values", kind: .message(.keyValue), isList: true)
        default: nil
        }
    }

    private static let kinds: [StaticString] = [
        "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ]
    private static let codes: [StaticString] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]
    /// How deep messages may nest, as other readers of Protocol Buffers have it.
    private static let depthLimit = 100

    /// Writes the members of a message; fields it does not know are left out, and of one that is no list the last counts.
    /// - Throws: ``MLflowFailure/invalid(_:)``.
    func write(_ bytes: ArraySlice<UInt8>, to writer: inout JSONWriter, depth: Int = 0) throws {
        guard depth < Self.depthLimit else {
            throw MLflowFailure.invalid("Invalid OpenTelemetry format: it nests more than \(Self.depthLimit) deep")
        }
        var values: [Int: [ProtobufReader.Value]] = [:]
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() { values[number, default: []].append(value) }
        for (number, found) in values.sorted(by: { $0.key < $1.key }) {
            guard let field = field(number), let last = found.last else { continue }
            if field.isList, case .message(let type) = field.kind {
                try writer.array(field.name) { writer in
                    for value in found {
                        guard case .bytes(let bytes) = value else { throw ProtobufReader.refusal }
                        try writer.object { try type.write(bytes, to: &$0, depth: depth + 1) }
                    }
                }
            } else {
                try Self.write(last, field, to: &writer, depth: depth)
            }
        }
    }

    private static func write(
        _ value: ProtobufReader.Value, _ field: Field, to writer: inout JSONWriter, depth: Int
    ) throws {
        switch (field.kind, value) {
        case (.bytes, .bytes(let bytes)): writer.member(field.name, Base64.text(Array(bytes)))
        case (.text, .bytes(let bytes)): writer.member(field.name, String(decoding: bytes, as: UTF8.self))
        case (.unsigned, .varint(let number)): writer.member(field.name, Int64(UInt32(truncatingIfNeeded: number)))
        case (.unsigned, .fixed32(let number)): writer.member(field.name, Int64(number))
        case (.signed, .varint(let number)): writer.member(field.name, Int64(bitPattern: number))
        case (.truth, .varint(let number)): writer.member(field.name, number != 0)
        case (.double, .fixed64(let bits)): writer.member(field.name, Double(bitPattern: bits))
        case (.nanoseconds, .fixed64(let number)): writer.member(field.name, String(number))
        case (.choice(let names), .varint(let number)):
            guard let index = Int(exactly: number), names.indices.contains(index) else { return }
            writer.member(field.name, "\(names[index])")
        case (.message(let type), .bytes(let bytes)):
            try writer.object(field.name) { try type.write(bytes, to: &$0, depth: depth + 1) }
        default: throw ProtobufReader.refusal
        }
    }
}
