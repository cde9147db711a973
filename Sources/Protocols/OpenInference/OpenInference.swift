import Basics
import Features
import HTTP
import Registry
import Security
import Serving
import Telemetry

/// The Open Inference Protocol v2 over HTTP, as KServe and Triton speak it: health, metadata and infer.
///
/// An endpoint is a model of the protocol: its inputs are the service's join keys (BYTES), its request features (FP64)
/// and, optionally, `event_time`; its one output is `score`.
public struct OpenInference: Sendable {
    private let table: EndpointTable
    private let loops: [InferenceSession]
    private let workers: InferenceWorkers
    private let answersOnLoops: Bool

    /// - Parameters:
    ///   - loops: the number of network threads; each has a session and a slot of its own, from 0.
    ///   - workers: the number of threads that answer what a loop does not; their slots follow.
    ///   - answersOnLoops: false where reading features waits for a network.
    public init(
        table: EndpointTable, time: any TimeSource, random: any RandomSource, loops: Int, workers: Int,
        answersOnLoops: Bool, metrics: MetricsRegistry
    ) {
        self.table = table
        self.answersOnLoops = answersOnLoops
        func stage(_ name: String) -> Histogram {
            metrics.histogram(
                "modelworks_inference_stage_seconds", help: "Time in a stage of answering an infer request.",
                labels: ["stage": name])
        }
        let stages = InferenceSession.Stages(
            parse: stage("parse"), features: stage("features"), inference: stage("inference"))
        let (loops, workers) = (max(1, loops), max(1, workers))
        func session(_ slot: Int) -> InferenceSession {
            InferenceSession(slot: slot, table: table, time: time, random: random, stages: stages)
        }
        self.loops = (0..<loops).map(session)
        self.workers = InferenceWorkers((loops..<loops + workers).map(session))
    }

    /// Puts the protocol's routes on a router, with its own shape of errors.
    public func install(on router: Router) {
        router.errorShape(prefix: "/v2") { problem in
            .bytes(Self.body(of: problem), contentType: "application/json", status: problem.status)
        }
        router.get("/v2", needs: .right(to: .read)) { _ in
            try .json(ServerMetadata())
        }
        for path in ["live", "ready"] {
            router.get("/v2/health/\(path)", needs: .nothing) { _ in try .json([path: true]) }
        }
        router.get("/v2/models/{name}", needs: .right(to: .read, on: "endpoint", named: "name")) { request in
            try .json(ModelMetadata(try table.endpoint(try request.parameter("name"))))
        }
        router.get("/v2/models/{name}/ready", needs: .right(to: .read, on: "endpoint", named: "name")) { request in
            let endpoint = try table.endpoint(try request.parameter("name"))
            guard endpoint.traffic != nil else { throw ServingFailure.notDeployed(endpoint.definition.name) }
            return try .json(Ready(name: endpoint.definition.name, ready: true))
        }
        router.inline(.post, "/v2/models/{name}/infer", needs: .right(to: .infer, on: "endpoint", named: "name")) {
            exchange in
            guard answersOnLoops, loops.indices.contains(exchange.loopIndex) else { return false }
            do {
                let answer = try loops[exchange.loopIndex].answer(exchange.parameterText(0), exchange.body)
                exchange.reply(.ok, contentType: "application/json", answer)
            } catch {
                let problem = HTTPProblem(error, requestID: exchange.requestID ?? "")
                Self.body(of: problem).withUnsafeBytes {
                    exchange.reply(problem.status, contentType: "application/json", $0)
                }
            }
            return true
        }
        router.post("/v2/models/{name}/infer", needs: .right(to: .infer, on: "endpoint", named: "name")) { request in
            .bytes(
                try await workers.answer(try request.parameter("name"), request.body), contentType: "application/json")
        }
    }

    /// The protocol's own shape of an error.
    private static func body(of problem: HTTPProblem) -> [UInt8] {
        (try? JSON.canonical(["error": problem.text])) ?? []
    }

    private struct Ready: Encodable {
        var name: String
        var ready: Bool
    }

    private struct ServerMetadata: Encodable {
        var name = "modelworks"
        var version = "0.1.0"
        var extensions: [String] = []
    }

    private struct ModelMetadata: Encodable {
        struct Tensor: Encodable {
            var name: String
            var datatype: String
            var shape = [-1]
        }

        var name: String
        var versions: [String]
        var platform = "modelworks"
        var inputs: [Tensor]
        var outputs = [Tensor(name: "score", datatype: "FP64")]

        init(_ endpoint: Endpoint) {
            name = endpoint.definition.name
            let traffic = endpoint.traffic
            versions = [traffic?.stable, traffic?.canary].compactMap { $0.map { "\($0.version)" } }
            inputs =
                endpoint.service.joinKeys.map { Tensor(name: $0, datatype: "BYTES") }
                + endpoint.service.requestNames.map { Tensor(name: $0, datatype: "FP64") }
                + [Tensor(name: Columns.timeName, datatype: "INT64")]
        }
    }
}
