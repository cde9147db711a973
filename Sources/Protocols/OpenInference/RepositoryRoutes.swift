import Basics
import Foundation
import HTTP
import Registry
import Security
import Serving

/// Triton's extensions that look after the models of the repository: index, load and unload, configuration, statistics.
struct RepositoryRoutes: Sendable {
    let directory: Directory

    func install(on router: Router) {
        for repository in ["/v2/repository", "/v2/repository/{repository}"] {
            router.post("\(repository)/index", needs: .right(to: .read)) { request in
                struct Body: Decodable { var ready: Bool? }
                let readyOnly = try Self.json(Body.self, request)?.ready ?? false
                return try .json(directory.index(readyOnly: readyOnly))
            }
        }
        let change = RouteNeed.right(to: .deploy, on: "endpoint", named: "name")
        router.post("/v2/repository/models/{name}/load", needs: change) { request in
            try await InferProblem.answering(request) {
                let name = try request.parameter("name")
                try await directory.repository(for: name).load(
                    name, override: try Self.json(LoadBody.self, request)?.override)
                return .bytes([], contentType: "application/json")
            }
        }
        router.post("/v2/repository/models/{name}/unload", needs: change) { request in
            try await InferProblem.answering(request) {
                let name = try request.parameter("name")
                try await directory.repository(for: name).unload(name)
                return .bytes([], contentType: "application/json")
            }
        }
        let read = RouteNeed.right(to: .read, on: "endpoint", named: "name")
        for path in ["/v2/models/{name}", "/v2/models/{name}/versions/{version}"] {
            router.get("\(path)/config", needs: read) { request in
                try await InferProblem.answering(request) {
                    try .snakeCase(ModelSettings(try target(request)))
                }
            }
            router.get("\(path)/stats", needs: read) { request in
                try await InferProblem.answering(request) {
                    try .snakeCase(["model_stats": ModelCounts.all(of: try target(request))])
                }
            }
        }
        router.get("/v2/models/stats", needs: .right(to: .read)) { _ in
            try .snakeCase(["model_stats": directory.statistics])
        }
    }

    private func target(_ request: HTTPRequest) throws -> Directory.Target {
        try directory.target(try request.parameter("name"), version: request.given("version"))
    }

    /// Clients send no body at all where they have nothing to say.
    private static func json<Body: Decodable>(_ type: Body.Type, _ request: HTTPRequest) throws -> Body? {
        request.body.isEmpty ? nil : try request.json(type)
    }
}

/// What a load may bring: `config`, and files as `file:PATH` in base64.
private struct LoadBody: Decodable {
    let override: ModelOverride?

    private enum CodingKeys: CodingKey { case parameters }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
            .decodeIfPresent([String: JSONValue].self, forKey: .parameters)
        var override = ModelOverride()
        for (name, value) in values ?? [:] {
            guard name == "config" || name.hasPrefix("file:") else { continue }
            guard let text = value.string else { throw OpenInferenceFailure.badParameter(name, "a text") }
            if name == "config" {
                override.configuration = text
            } else {
                guard let bytes = Data(base64Encoded: text) else {
                    throw OpenInferenceFailure.badParameter(name, "base64")
                }
                override.files[String(name.dropFirst(5))] = [UInt8](bytes)
            }
        }
        self.override = override == ModelOverride() ? nil : override
    }
}

extension Directory {
    /// What the index shows: every model, and every endpoint as one that is ready where it has a version deployed.
    func index(readyOnly: Bool) -> [ModelIndexEntry] {
        let endpoints = endpoints.all.map { endpoint in
            let version = endpoint.traffic.map { String($0.stable.version) }
            return ModelIndexEntry(
                name: endpoint.definition.name, version: version ?? "", state: version == nil ? .unavailable : .ready,
                reason: version == nil ? "no version is deployed" : "")
        }
        return endpoints.filter { !readyOnly || $0.state == .ready } + (models?.index(readyOnly: readyOnly) ?? [])
    }

    /// What all that answers has done.
    var statistics: [ModelCounts] {
        endpoints.all.flatMap { ModelCounts.all(of: $0) } + (models?.all ?? []).map { ModelCounts($0) }
    }

    /// The repository to load a name into.
    /// - Throws: `ServingFailure` where the name is that of an endpoint, or there is no repository.
    func repository(for name: String) throws -> ModelRepository {
        if endpoints[name] != nil {
            throw ServingFailure.badRequest(
                "'\(name)' is an endpoint, which is not loaded", remedy: "Deploy a version to it.")
        }
        guard let models else { throw ServingFailure.unknownModel(name, known: []) }
        return models
    }
}
