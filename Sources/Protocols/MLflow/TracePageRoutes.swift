import Basics
import Documents
import Experiments
import HTTP
import Security

extension MLflow {
    /// The spans of a trace as MLflow's web pages read them.
    func installTracePages(on router: Router) {
        for version in ["2.0", "3.0"] {
            route(.get, "/mlflow/get-trace-artifact", version: version, needs: .read, on: router) { request in
                guard let id = request.query("request_id"), !id.isEmpty else {
                    throw MLflowFailure.missing("request_id")
                }
                let location = try await experiments.trace(id).tags.first { $0.key == TraceKey.location }
                if let path = request.query("path") {
                    return try await attachment("attachments/\(path)", below: location?.value ?? "")
                }
                let spans = try await experiments.spans(of: id)
                guard !spans.isEmpty else { return try await attachment("traces.json", below: location?.value ?? "") }
                return try .json(["spans": .array(try spans.map(Self.shown))] as JSONValue)
            }
        }
    }

    /// A span with attributes by name, each value a JSON text of its own, and times that are numbers.
    private static func shown(_ document: [UInt8]) throws -> JSONValue {
        var span = try JSON.decode(JSONValue.self, from: document).object ?? [:]
        span["attributes"] = attributes(of: span, asText: true)
        for key in ["start_time_unix_nano", "end_time_unix_nano"] { span[key] = number(span[key]) }
        span["events"] = .array(
            (span["events"]?.array ?? []).map { event in
                var event = event.object ?? [:]
                event["attributes"] = attributes(of: event, asText: false)
                event["time_unix_nano"] = number(event["time_unix_nano"])
                return .object(event)
            })
        if span["status"] == nil { span["status"] = [:] }
        return .object(span)
    }

    private static func attributes(of members: [String: JSONValue], asText: Bool) -> JSONValue {
        var found: [String: JSONValue] = [:]
        for pair in members["attributes"]?.array ?? [] {
            guard let key = pair["key"]?.string else { continue }
            let value = plain(pair["value"])
            found[key] = asText ? .string((try? JSON.string(value)) ?? "null") : value
        }
        return .object(found)
    }

    /// What a value of OpenTelemetry says, without its type.
    private static func plain(_ value: JSONValue?) -> JSONValue {
        guard let (type, content) = value?.object?.first else { return .null }
        switch type {
        case "array_value": return .array((content["values"]?.array ?? []).map(plain))
        case "kvlist_value": return attributes(of: ["attributes": content["values"] ?? []], asText: false)
        default: return content
        }
    }

    private static func number(_ text: JSONValue?) -> JSONValue {
        text?.string.flatMap { Int64($0) }.map { .integer($0) } ?? .null
    }
}
