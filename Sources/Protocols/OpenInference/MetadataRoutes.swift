import Basics
import Features
import HTTP
import Inference
import Registry
import Security
import Serving

/// Health and metadata of the server and of all that answers.
struct MetadataRoutes: Sendable {
    /// What tools look for before they ask for statistics or send binary data.
    static let extensions = [
        "binary_tensor_data", "model_configuration", "model_repository", "parameters", "schedule_policy", "statistics",
    ]

    let directory: Directory
    let version: String

    func install(on router: Router) {
        router.get("/v2", needs: .right(to: .read)) { _ in
            try .json(ServerMetadata(version: version, extensions: Self.extensions))
        }
        router.get("/v2/health/live", needs: .nothing) { _ in try .json(["live": true]) }
        router.get("/v2/health/ready", needs: .nothing) { _ in
            let ready = directory.isReady
            return try .json(["ready": ready], status: ready ? .ok : .serviceUnavailable)
        }
        for path in ["/v2/models/{name}", "/v2/models/{name}/versions/{version}"] {
            let need = RouteNeed.right(to: .read, on: "endpoint", named: "name")
            router.get(path, needs: need) { request in
                switch try directory.target(try request.parameter("name"), version: request.given("version")) {
                case .endpoint(let endpoint): try .json(ModelMetadata(endpoint))
                case .model(let model): try .json(ModelMetadata(model))
                }
            }
            router.get("\(path)/ready", needs: need) { request in
                let name = try request.parameter("name")
                try directory.requireReady(name, version: request.given("version"))
                return try .json(Ready(name: name, ready: true))
            }
        }
    }

    private struct Ready: Encodable {
        var name: String
        var ready: Bool
    }

    private struct ServerMetadata: Encodable {
        var name = "modelworks"
        var version: String
        var extensions: [String]
    }
}

extension HTTPRequest {
    /// A parameter that not every path of a route has.
    func given(_ name: String) -> String? { try? parameter(name) }
}

extension Directory {
    /// - Throws: `ServingFailure` where a name does not answer, and why.
    func requireReady(_ name: String, version: String?) throws {
        if case .endpoint(let endpoint) = try target(name, version: version), endpoint.traffic == nil {
            throw ServingFailure.notDeployed(name)
        }
    }
}

/// What the protocol tells of a model.
struct ModelMetadata: Encodable {
    struct Tensor: Encodable {
        var name: String
        var datatype: String
        var shape = [-1]

        init(name: String, datatype: String) {
            self.name = name
            self.datatype = datatype
        }

        init(_ spec: TensorSpec) {
            name = spec.name
            datatype = spec.datatype.rawValue
            shape = spec.shape
        }
    }

    var name: String
    var versions: [String]
    var platform: String
    var inputs: [Tensor]
    var outputs: [Tensor]

    init(_ model: ServedModel) {
        name = model.name
        versions = model.versions
        platform = model.model.platform
        inputs = model.model.inputs.map(Tensor.init)
        outputs = model.model.outputs.map(Tensor.init)
    }

    init(_ endpoint: Endpoint) {
        name = endpoint.definition.name
        let traffic = endpoint.traffic
        versions = [traffic?.stable, traffic?.canary].compactMap { $0.map { "\($0.version)" } }
        platform = "modelworks"
        inputs =
            endpoint.service.joinKeys.map { Tensor(name: $0, datatype: "BYTES") }
            + endpoint.service.requestNames.map { Tensor(name: $0, datatype: "FP64") }
            + [Tensor(name: Columns.timeName, datatype: "INT64")]
        outputs = [Tensor(name: InferenceSession.scoreName, datatype: "FP64")]
    }
}
