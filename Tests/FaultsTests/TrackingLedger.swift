import Basics
import Foundation
import HTTP

/// What a server has acknowledged of one run, and what is in it.
struct TrackingLedger {
    let run: String
    /// Where its artifacts are, as a path of the proxied store.
    let root: String
    /// By key: step and value.
    var metrics: [String: [Int: Double]] = [:]
    var parameters: [String: String] = [:]
    /// By key, every value that the tag may have: the last one acknowledged, and those whose outcome is not known.
    var tags: [String: Set<String>] = [:]
    var artifacts: [String: Digest] = [:]

    var count: Int {
        metrics.values.reduce(0) { $0 + $1.count } + parameters.count + tags.count + artifacts.count
    }

    /// Reads the run from a server.
    /// - Returns: what was acknowledged and is not there.
    func lost(_ client: TrackingClient) throws -> [String] {
        var lost: [String] = []
        let data = try client.get("/api/2.0/mlflow/runs/get?run_id=\(run)")["run"]?["data"]
        func pairs(_ name: String) -> [String: String] {
            var found: [String: String] = [:]
            for item in data?[name]?.array ?? [] {
                if let key = item["key"]?.string { found[key] = item["value"]?.string ?? "" }
            }
            return found
        }
        let (parametersThere, tagsThere) = (pairs("params"), pairs("tags"))
        for (key, value) in parameters where parametersThere[key] != value { lost.append("param \(key) of \(run)") }
        for (key, values) in tags where !(tagsThere[key].map(values.contains) ?? false) {
            lost.append("tag \(key) of \(run)")
        }
        for (key, points) in metrics {
            let history = try client.get("/api/2.0/mlflow/metrics/get-history?run_id=\(run)&metric_key=\(key)")
            var there: [Int: Double] = [:]
            for item in history["metrics"]?.array ?? [] {
                if let step = item["step"]?.integer, let value = item["value"]?.double { there[Int(step)] = value }
            }
            for (step, value) in points where there[step] != value { lost.append("metric \(key) at \(step) of \(run)") }
        }
        for (path, digest) in artifacts {
            let bytes = try client.bytes("\(TrackingClient.artifacts)/\(root)/\(path)")
            if Digest(of: bytes) != digest { lost.append("artifact \(path) of \(run)") }
        }
        return lost
    }
}

/// What a client is told when the server is gone, or has not taken what it sent.
struct ConnectionGone: Error {}

/// One connection to the tracking server, through MLflow's protocol.
final class TrackingClient {
    static let artifacts = "/api/2.0/mlflow-artifacts/artifacts"
    private let connection: HTTPConnection

    init(url: String) throws { connection = try HTTPConnection(url: url, timeout: 30) }

    func get(_ path: String) throws -> JSONValue { try JSON.decode(JSONValue.self, from: try bytes(path)) }

    func bytes(_ path: String) throws -> [UInt8] { try send(.get, path, []) }

    @discardableResult
    func post(_ path: String, _ body: JSONValue) throws -> JSONValue {
        try JSON.decode(JSONValue.self, from: try send(.post, "/api/2.0/mlflow/\(path)", try JSON.canonical(body)))
    }

    func put(_ path: String, _ body: [UInt8]) throws { _ = try send(.put, "\(Self.artifacts)/\(path)", body) }

    func delete(_ path: String, _ body: JSONValue) throws {
        _ = try send(.delete, "/api/2.0/mlflow/\(path)", try JSON.canonical(body))
    }

    private func send(_ method: HTTPMethod, _ path: String, _ body: [UInt8]) throws -> [UInt8] {
        let response: HTTPResponse
        do {
            response = try connection.send(method, path, headers: ["Content-Type": "application/json"], body: body)
        } catch {
            throw ConnectionGone()
        }
        guard response.status == .ok else {
            throw Unmet("\(method.rawValue) \(path) answered \(response.status.code): \(response.text)")
        }
        return response.bytes
    }
}
