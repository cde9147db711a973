import Basics
import HTTP
import Inference
import Security
import Serving

/// The version 1 protocol of KServe, and the REST interface of TensorFlow Serving that it comes from.
struct PredictRoutes: Sendable {
    let scorer: Scorer

    func install(on router: Router) {
        router.errorShape(prefix: "/v1/models") { problem in
            .bytes(InferProblem.body(problem), contentType: "application/json", status: problem.status)
        }
        router.get("/v1/models", needs: .right(to: .read)) { _ in
            var seen: Set<String> = []
            let names = scorer.directory.index(readyOnly: true).map(\.name).filter { seen.insert($0).inserted }
            return try .json(["models": names])
        }
        for path in ["/v1/models/{name}", "/v1/models/{name}/versions/{version}"] {
            let read = RouteNeed.right(to: .read, on: "endpoint", named: "name")
            router.get(path, needs: read) { request in
                let name = try request.parameter("name")
                try scorer.directory.requireReady(name, version: request.given("version"))
                return try .snakeCase(
                    ModelStatus(name: name, versions: try versions(of: name, request.given("version"))))
            }
            router.get("\(path)/metadata", needs: read) { request in
                try .snakeCase(SignatureMetadata(try metadata(of: request), version: request.given("version")))
            }
        }
        // The verb stands behind the name or version, so that only the handler can tell the two apart.
        router.post("/v1/models/{call}", needs: .right(to: .infer, onSome: "endpoint")) { request in
            try await predict(request, name: nil)
        }
        router.post("/v1/models/{name}/versions/{call}", needs: .right(to: .infer, on: "endpoint", named: "name")) {
            request in
            try await predict(request, name: try request.parameter("name"))
        }
    }

    private func predict(_ request: HTTPRequest, name: String?) async throws -> HTTPResponse {
        try await InferProblem.answering(request) {
            let call = try request.parameter("call")
            guard let colon = call.lastIndex(of: ":") else { throw HTTPFailure.unknownPath(request.path) }
            let (subject, verb) = (String(call[..<colon]), call[call.index(after: colon)...])
            guard verb == "predict" else { throw OpenInferenceFailure.notOffered("the call ':\(verb)'") }
            try request.caller?.require(.right(to: .infer, on: "endpoint"), on: name ?? subject)
            let target = try scorer.directory.target(name ?? subject, version: name == nil ? nil : subject)
            let body = Scorer.Body.json(try await Scorer.plain(request), forms: [.instances, .inputs])
            return try Scorer.response(try await scorer.score(target, body), notes: request.notes) {
                answer, form, output in
                if form == .inputs {
                    output.append("{\"outputs\":")
                    answer.appendByName(to: output)
                } else {
                    output.append("{\"predictions\":")
                    answer.appendByRow(to: output)
                }
                output.append("}")
            }
        }
    }

    private func metadata(of request: HTTPRequest) throws -> ModelMetadata {
        switch try scorer.directory.target(try request.parameter("name"), version: request.given("version")) {
        case .endpoint(let endpoint): ModelMetadata(endpoint)
        case .model(let model): ModelMetadata(model)
        }
    }

    private func versions(of name: String, _ version: String?) throws -> [String] {
        if let version { return [version] }
        switch try scorer.directory.target(name) {
        case .endpoint(let endpoint): return ModelMetadata(endpoint).versions
        case .model(let model): return model.versions
        }
    }
}

/// What KServe and TensorFlow Serving tell of a model that answers.
private struct ModelStatus: Encodable {
    struct Version: Encodable {
        struct Status: Encodable {
            var errorCode = "OK"
            var errorMessage = ""
        }

        var version: String
        var state = "AVAILABLE"
        var status = Status()
    }

    var name: String
    var ready = true
    var modelVersionStatus: [Version]

    init(name: String, versions: [String]) {
        self.name = name
        modelVersionStatus = versions.map { Version(version: $0) }
    }
}

/// A model's inputs and outputs as the signature that TensorFlow Serving calls `serving_default`.
private struct SignatureMetadata: Encodable {
    struct Spec: Encodable {
        var name: String
        var signatureName = ""
        var version: String
    }

    struct Tensor: Encodable {
        struct Shape: Encodable {
            struct Dimension: Encodable {
                var size: String
                var name = ""
            }

            var dim: [Dimension]
            var unknownRank = false
        }

        var dtype: String
        var name: String
        var tensorShape: Shape

        init(_ tensor: ModelMetadata.Tensor) {
            dtype = TensorType(rawValue: tensor.datatype).map(Self.type) ?? "DT_INVALID"
            name = tensor.name
            tensorShape = Shape(dim: tensor.shape.map { Shape.Dimension(size: String($0)) })
        }

        private static func type(_ type: TensorType) -> String {
            switch type {
            case .fp16: "DT_HALF"
            case .bf16: "DT_BFLOAT16"
            case .fp32: "DT_FLOAT"
            case .fp64: "DT_DOUBLE"
            case .bytes: "DT_STRING"
            default: "DT_\(type.rawValue)"
            }
        }
    }

    struct Signature: Encodable {
        var inputs: [String: Tensor]
        var outputs: [String: Tensor]
        var methodName = "tensorflow/serving/predict"
    }

    struct Metadata: Encodable {
        struct Signatures: Encodable { var signatureDef: [String: Signature] }

        var signatureDef: Signatures
    }

    var modelSpec: Spec
    var metadata: Metadata

    init(_ model: ModelMetadata, version: String?) {
        func tensors(_ tensors: [ModelMetadata.Tensor]) -> [String: Tensor] {
            Dictionary(tensors.map { ($0.name, Tensor($0)) }) { first, _ in first }
        }
        modelSpec = Spec(name: model.name, version: version ?? model.versions.last ?? "")
        metadata = Metadata(
            signatureDef: Metadata.Signatures(
                signatureDef: [
                    "serving_default": Signature(inputs: tensors(model.inputs), outputs: tensors(model.outputs))
                ]))
    }
}
