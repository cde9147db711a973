import Basics
import Columnar
import Foundation
import GRPC
import HTTP
import Inference
import OpenInference
import Serving
import Telemetry
import Testing

/// A server with models of a repository and nothing else.
struct ModelServer {
    let repository: ModelRepository
    let client: HTTPClient
    let port: Int
    /// Where gRPC is answered.
    let callPort: Int

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: [UInt8]

        /// The body as JSON, or what of it is JSON where bytes follow; null where it is none.
        var json: JSONValue { (try? JSON.decode(JSONValue.self, from: head)) ?? .null }

        var text: String { String(decoding: body, as: UTF8.self) }

        var error: String? { json["error"]?.string }

        private var head: [UInt8] {
            Array(body.prefix(headers["Inference-Header-Content-Length"].flatMap { Int($0) } ?? body.count))
        }

        /// What follows the JSON.
        var tail: [UInt8] {
            headers["Inference-Header-Content-Length"].flatMap { Int($0) }.map { Array(body.dropFirst($0)) } ?? []
        }

        /// The values of an output.
        func data(_ output: Int = 0) -> JSONValue? {
            guard let outputs = json["outputs"]?.array, output < outputs.count else { return nil }
            return outputs[output]["data"]
        }
    }

    /// Runs `check` against a server of `models`.
    static func serving(
        _ models: [String: any TensorModel], versions: [String] = ["1"],
        _ check: (ModelServer) async throws -> Void
    ) async throws {
        let repository = ModelRepository(time: SystemTime(), random: SystemRandom())
        for (name, model) in models {
            for version in versions {
                repository.register(ServedModel(name: name, version: version, model: model, time: SystemTime()))
            }
        }
        try await serving(repository, check)
    }

    /// Runs `check` against a server of the models of a repository.
    static func serving(
        _ repository: ModelRepository, _ check: (ModelServer) async throws -> Void
    ) async throws {
        let metrics = MetricsRegistry()
        let router = Router()
        let protocols = OpenInference(
            table: EndpointTable(), models: repository, version: "9.9", time: SystemTime(), random: SystemRandom(),
            loops: 2, workers: 2, answersOnLoops: true)
        protocols.install(on: router)
        let folder = FileManager.default.temporaryDirectory.path
        protocols.installScoring(
            on: router, tables: ColumnarEngine(ColumnarOptions(temporaryDirectory: folder, connections: 1)),
            standalone: true)
        let calls = GRPCRouter()
        protocols.install(on: calls)
        var configuration = HTTPServerConfiguration()
        configuration.http2Port = 0
        let server = HTTPServer(
            configuration: configuration, router: router, calls: calls, log: .silent, metrics: metrics)
        let port = try server.start()
        let callPort = try #require(server.http2Port)
        let client = try HTTPClient(baseURL: "http://127.0.0.1:\(port)")
        do {
            try await check(ModelServer(repository: repository, client: client, port: port, callPort: callPort))
        } catch {
            await server.shutdown(drainSeconds: 1)
            throw error
        }
        await server.shutdown(drainSeconds: 1)
    }

    func send(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8] = [], headers: HTTPHeaders = [:]
    ) async throws -> Answer {
        let response = try await client.send(method, path, headers: headers, body: body)
        return Answer(status: response.status.code, headers: response.headers, body: try await response.collect())
    }

    func get(_ path: String) async throws -> Answer { try await send(.get, path) }

    func post(_ path: String, _ body: String = "", type: String = "application/json") async throws -> Answer {
        try await send(.post, path, Array(body.utf8), headers: ["Content-Type": type])
    }

    func infer(_ model: String, _ body: String) async throws -> Answer {
        try await post("/v2/models/\(model)/infer", body)
    }

    /// An infer request with bytes behind its JSON.
    func infer(
        _ model: String, _ header: String, _ tail: [UInt8], headers more: HTTPHeaders = [:], length: String? = nil
    ) async throws -> Answer {
        var headers = more
        headers.add("Inference-Header-Content-Length", length ?? String(header.utf8.count))
        return try await send(.post, "/v2/models/\(model)/infer", Array(header.utf8) + tail, headers: headers)
    }
}

/// Little-endian bytes of numbers, as the binary extension has them.
func raw<Number: BitwiseCopyable>(_ numbers: [Number]) -> [UInt8] { numbers.withUnsafeBytes { [UInt8]($0) } }

/// Texts as the binary extension has them.
func raw(texts: [String]) -> [UInt8] {
    texts.flatMap { raw([UInt32($0.utf8.count)]) + Array($0.utf8) }
}
