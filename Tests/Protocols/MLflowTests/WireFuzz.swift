import Basics
import Foundation
import HTTP
import TestSupport
import Testing
import Works
import Workshop

/// Mutated requests to every route of the protocol: each is answered, and what is refused is refused as MLflow does it.
@Suite(.serialized) struct WireFuzz {
    private let fuzzer = Fuzzer(pieces: [
        "\"", "\\", "\\u0000", "\\uD800", "{", "}", "[", "]", ":", ",", "null", "true", "1e999", "-0", "0x1", "NaN",
        "'",
        "..", "/", "%", "%2e", "&", "=", "\u{0}", "\u{7F}", "é", "🙂", "\u{2028}", "experimentId", "run_uuid", "key",
        "value", "-", "9223372036854775808", "\u{FEFF}",
    ])

    /// The errors of MLflow that a caller may bring about, with their statuses.
    private static let documented: [String: [Int]] = [
        "INVALID_PARAMETER_VALUE": [400], "RESOURCE_ALREADY_EXISTS": [400], "RESOURCE_DOES_NOT_EXIST": [404],
        "ENDPOINT_NOT_FOUND": [404, 405], "PERMISSION_DENIED": [403], "RESOURCE_EXHAUSTED": [429],
        "NOT_IMPLEMENTED": [501],
        // A rename of a deleted experiment.
        "INVALID_STATE": [500],
    ]

    private struct Request {
        var method: HTTPMethod
        var path: String
        var fields: JSONValue
    }

    /// What there is when a request is sent, by what stands for it.
    private struct Things {
        var names = ["$path": "0/a/b.txt", "$model": "m", "$trace": "tr-1"]

        init(_ shop: Workshop, _ random: SeededRandom) async throws {
            func make(_ path: String, _ body: JSONValue) async throws -> JSONValue {
                let answer = try await shop.works.dispatch(
                    .post, path, headers: ["Content-Type": "application/json"], body: try JSON.canonical(body))
                return (try? JSON.decode(JSONValue.self, from: answer.body)) ?? .null
            }
            let prefix = "/api/2.0/mlflow"
            // The one of before may have been deleted, as any other.
            let name = "things \(random.identifier())"
            let experiment = try await make("\(prefix)/experiments/create", ["name": .string(name)])
            let id = experiment["experiment_id"] ?? .null
            names["$experiment"] = id.string
            let run = try await make("\(prefix)/runs/create", ["experiment_id": id])
            names["$run"] = run["run"]?["info"]?["run_id"]?.string
            let logged = try await make("\(prefix)/logged-models", ["experiment_id": id, "name": "m"])
            names["$logged"] = logged["model"]?["info"]?["model_id"]?.string
            _ = try await make("\(prefix)/registered-models/create", ["name": "m"])
            _ = try await make("\(prefix)/model-versions/create", ["name": "m", "source": "/a"])
            let webhook = try await make(
                "\(prefix)/webhooks",
                [
                    "name": "w", "url": "https://127.0.0.1:9/x", "status": "DISABLED",
                    "events": [["entity": "REGISTERED_MODEL", "action": "CREATED"]],
                ])
            names["$webhook"] = webhook["webhook"]?["webhook_id"]?.string
            guard names.count == 7 else {
                throw Workshop.Surprise(description: "something could not be made: \(names) \(run) \(logged)")
            }
        }

        func filled(_ text: String) -> String {
            guard text.contains("$") else { return text }
            return names.reduce(text) { $0.replacing($1.key, with: $1.value) }
        }

        func filled(_ value: JSONValue) -> JSONValue {
            switch value {
            case .string(let text): .string(filled(text))
            case .array(let items): .array(items.map(filled))
            case .object(let members): .object(members.mapValues(filled))
            default: value
            }
        }
    }

    /// A sound request for each route of MLflow's; a route without one is found here.
    private func requests(_ shop: Workshop) -> [Request] {
        var requests = WireSamples.others.map { Request(method: $0.method, path: $0.path, fields: $0.fields) }
        var unused = Set(WireSamples.fields.keys)
        for route in shop.works.router.routes {
            guard let end = route.pattern.range(of: "/mlflow/"), route.pattern.contains("api/") else { continue }
            let tail = route.pattern[end.lowerBound...].dropFirst("/mlflow".count)
            let name = "\(route.method.rawValue) \(tail)"
            guard let fields = WireSamples.fields[name] else {
                Issue.record("no sample for \(name)")
                continue
            }
            unused.remove(name)
            var path = route.pattern.replacing("{key}", with: "a")
            for (part, id) in [("logged-models", "$logged"), ("traces", "$trace"), ("webhooks", "$webhook")]
            where tail.hasPrefix("/\(part)/") {
                // A webhook that is tried sends something.
                path = path.replacing("{id}", with: tail.hasSuffix("/test") ? "none" : id)
            }
            requests.append(Request(method: route.method, path: path, fields: fields))
        }
        #expect(unused.isEmpty)
        return requests
    }

    private func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            Character(Unicode.Scalar(byte)).isLetter && byte < 128
                ? "\(Unicode.Scalar(byte))" : String(format: "%%%02X", byte)
        }.joined()
    }

    private func query(_ fields: JSONValue) -> String {
        func text(_ value: JSONValue) -> String { value.string ?? (try? JSON.string(value)) ?? "" }
        var parts = (fields.object ?? [:]).sorted { $0.key < $1.key }.flatMap { name, value in
            (value.array ?? [value]).map { "\(escaped(name))=\(escaped(text($0)))" }
        }
        if fuzzer.isOne(in: 6), let part = parts.first { parts.append(part) }
        let query = parts.joined(separator: "&")
        return fuzzer.isOne(in: 6) ? String(decoding: fuzzer.mutated(Array(query.utf8)), as: UTF8.self) : query
    }

    /// The target and the body of a request that was changed somewhere.
    private func mutated(_ request: Request, _ things: Things) throws -> (target: String, body: [UInt8]) {
        var fields = request.fields
        for _ in 0..<fuzzer.below(3) { fields = fuzzer.mutated(fields, odd: WireSamples.odd) }
        // None is ever told of anything.
        if request.path.contains("/webhooks"), case .object(var members) = fields, request.method != .get {
            members["status"] = "DISABLED"
            fields = .object(members)
        }
        var path = request.path
        if fuzzer.isOne(in: 5) {
            let odd = fuzzer.one(of: WireSamples.odd).string ?? "0/x"
            for name in ["$path", "$logged", "$trace", "$webhook", "{key}"] {
                path = path.replacing(name, with: odd.isEmpty ? "x" : escaped(odd))
            }
        }
        path = things.filled(path)
        fields = things.filled(fields)
        guard ![.get, .head].contains(request.method) else { return ("\(path)?\(query(fields))", []) }
        var body = try JSON.canonical(fields)
        if fuzzer.isOne(in: 5), !path.contains("/webhooks") { body = fuzzer.mutated(body) }
        if path.hasSuffix("/upload-artifact") { path += "?run_uuid=\(things.filled("$run"))&path=a" }
        return (path, body)
    }

    @Test func everyRequestIsAnswered() async throws {
        let shop = try await Workshop()
        let requests = requests(shop)
        var things = try await Things(shop, fuzzer.random)
        var (good, refused) = (0, 0)
        for round in fuzzer.rounds(atLeast: 2500) {
            if round % 250 == 249 { things = try await Things(shop, fuzzer.random) }
            let request = requests[round < requests.count ? round : fuzzer.below(requests.count)]
            // In order and unchanged first, but for what takes away what later requests ask for.
            let isPlain = round < requests.count && request.method != .delete && !request.path.hasSuffix("/delete")
            let (target, body) =
                isPlain
                ? (things.filled(request.path), try JSON.canonical(things.filled(request.fields)))
                : try mutated(request, things)
            let wanted =
                isPlain && request.method == .get ? "\(target)?\(query(things.filled(request.fields)))" : target
            guard
                let answer = try? await shop.works.dispatch(
                    request.method, wanted, headers: ["Content-Type": "application/json"],
                    body: isPlain && request.method == .get ? [] : body)
            else { continue }
            check(
                answer,
                "seed \(fuzzer.seed): \(request.method) \(wanted) \(String(decoding: body, as: UTF8.self).prefix(1000))"
            )
            if answer.status == 200 { good += 1 } else { refused += 1 }
        }
        #expect(good > 300 && refused > 300, "\(good) good, \(refused) refused")
    }

    private func check(_ answer: (status: Int, body: [UInt8]), _ what: String) {
        guard answer.status != 200 else { return }
        let document = (try? JSON.decode(JSONValue.self, from: answer.body)) ?? .null
        let code = document["error_code"]?.string ?? ""
        #expect(
            Self.documented[code]?.contains(answer.status) == true && document["message"]?.string?.isEmpty == false,
            "\(answer.status) \(String(decoding: answer.body, as: UTF8.self)) for \(what)")
    }

    /// What a page asks is answered with 200 always, with an error among the errors.
    @Test func everyPageQueryIsAnswered() async throws {
        let shop = try await Workshop()
        let things = try await Things(shop, fuzzer.random)
        let names = [
            "mlflowGetExperiment", "mlflowGetMetricHistoryBulkInterval", "mlflowGetRun", "mlflowListArtifacts",
            "mlflowSearchDatasets", "mlflowSearchModelVersions", "mlflowSearchRuns",
        ]
        for _ in fuzzer.rounds(atLeast: 300) {
            let document: JSONValue = [
                "query": .string(
                    """
                    query A($data: B!) { \(fuzzer.one(of: names))(input: $data) { apiError { code } __typename
                      run { info { runName startTime } experiment { name } modelVersions { version } }
                      runs { info { runId } data { metrics { key value step } } modelVersions { name } }
                      metrics { value timestamp } files { path fileSize } modelVersions { name } } }
                    """),
                "variables": [
                    "data": [
                        "runId": "$run", "experimentId": "0", "experimentIds": ["0"], "runIds": ["$run"],
                        "metricKey": "loss", "filter": "status = 'RUNNING'", "path": "a", "maxResults": 5,
                        "orderBy": ["start_time"],
                    ]
                ],
            ]
            let changed = things.filled(fuzzer.mutated(document, odd: WireSamples.odd))
            let answer = try await shop.works.dispatch(
                .post, "/graphql", headers: ["Content-Type": "application/json"], body: try JSON.canonical(changed))
            let found = (try? JSON.decode(JSONValue.self, from: answer.body)) ?? .null
            let error = String(decoding: answer.body, as: UTF8.self)
            #expect(
                answer.status == 200 && found["data"] != nil && !error.contains("INTERNAL_ERROR"),
                "seed \(fuzzer.seed): \(answer.status) \(error) for \(changed)")
        }
    }
}
