import Automation
import Basics
import Experiments
import HTTP
import Inference
import ObjectStorage
import Registry
import Security
import Training

extension WorksAPI {
    func installModels(on router: Router) {
        router.get(
            "\(Self.prefix)/runs", needs: .right(to: .read),
            about: .init(
                "Lists runs, newest first",
                query: [
                    .optional("experiment", "only of this one"),
                    .optional("limit", "runs at most", Int.self),
                ], answer: .json([Run].self))
        ) { request in
            try .json(
                try await services.experiments.runs(
                    experiment: request.query("experiment"),
                    limit: try request.integer("limit", default: 50, in: 1...1000)))
        }
        router.get(
            "\(Self.prefix)/runs/{id}", needs: .right(to: .read),
            about: .init(
                "Shows a run", answer: .json(Run.self))
        ) { request in
            try .json(try await services.experiments.run(try request.parameter("id")))
        }
        router.get(
            "\(Self.prefix)/runs/{id}/metrics/{key}", needs: .right(to: .read),
            about: .init(
                "Gives the history of a metric", answer: .json([MetricPoint].self))
        ) { request in
            try .json(
                try await services.experiments.history(
                    of: try request.parameter("key"), run: try request.parameter("id")))
        }
        router.get(
            "\(Self.prefix)/runs/{id}/metrics/{key}/plot", needs: .right(to: .read),
            about: .init(
                "Gives the line of a metric by few points, with the lowest and the highest of each part",
                query: [
                    .optional("parts", "how many parts at most; 500 where it is left out", Int.self),
                    .optional("start_step", "the first step that is looked at", Int.self),
                    .optional("end_step", "the last step that is looked at", Int.self),
                ], answer: .json(MetricPlot.self))
        ) { request in
            let start = try request.query("start_step", as: Int64.self) ?? .min
            let end = try request.query("end_step", as: Int64.self) ?? .max
            guard start <= end else { throw WorksAPIFailure.badParameter("end_step", "must not be below start_step") }
            return try .json(
                try await services.experiments.plot(
                    of: try request.parameter("key"), run: try request.parameter("id"),
                    steps: start == .min && end == .max ? nil : start...end,
                    parts: try request.integer("parts", default: 500, in: 1...10_000)))
        }
        router.post(
            "\(Self.prefix)/train/{name}", needs: .right(to: .train, on: "training", named: "name"),
            about: .init(
                "Trains a model, and registers it where its gates let it", body: .json(TrainBody.self),
                answer: .json(TrainResult.self))
        ) {
            request in try await train(request)
        }
        router.get(
            "\(Self.prefix)/models", needs: .right(to: .read),
            about: .init(
                "Lists the versions of all models", answer: .json([ModelVersion].self))
        ) { _ in
            try .json(try await services.registry.versions())
        }
        router.get(
            "\(Self.prefix)/models/{model}", needs: .right(to: .read, on: "model"),
            about: .init(
                "Lists the versions of a model", answer: .json([ModelVersion].self))
        ) { request in
            try .json(try await services.registry.versions(of: try request.parameter("model")))
        }
        router.get(
            "\(Self.prefix)/models/{model}/versions/{version:int}", needs: .right(to: .read, on: "model"),
            about: .init(
                "Shows a version of a model", answer: .json(ModelVersion.self))
        ) {
            request in
            try .json(try await services.registry.version(try version(request)))
        }
        router.get(
            "\(Self.prefix)/models/{model}/versions/{version:int}/bundle", needs: .right(to: .read, on: "model"),
            about: .init(
                "Gives the bundle of a version", answer: .json(JSONValue.self))
        ) { request in
            let record = try await services.registry.version(try version(request))
            return .bytes(try await services.objects.get(record.bundle), contentType: "application/json")
        }
        router.post(
            "\(Self.prefix)/models/{model}/versions/{version:int}/stage", needs: .right(to: .promote, on: "model"),
            about: .init(
                "Moves a version to a stage", body: .json(StageBody.self), answer: .json(ModelVersion.self))
        ) { request in
            let change = try body(StageBody.self, request)
            return try .json(
                try await services.registry.move(
                    try version(request), to: change.stage, reason: change.reason ?? "asked for",
                    override: change.override, by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/models/{model}/versions", needs: .right(to: .register, on: "model"),
            about: .init(
                "Registers a bundle as a version", body: .json(RegisterBody.self), answer: .json(ModelVersion.self))
        ) { request in
            let wanted = try body(RegisterBody.self, request)
            _ = try await services.loader.load(wanted.bundle)
            return try .json(
                try await services.registry.register(
                    model: try request.parameter("model"), bundle: wanted.bundle, run: nil, materials: nil,
                    metrics: [:],
                    description: wanted.reason, by: principal(request)))
        }
        router.get(
            "\(Self.prefix)/objects/{digest}", needs: .right(to: .read),
            about: .init(
                "Gives the bytes of an object", answer: .bytes("application/octet-stream"))
        ) { request in
            .bytes(try await services.objects.get(try digest(request)), contentType: "application/octet-stream")
        }
        router.post(
            "\(Self.prefix)/objects", needs: .right(to: .experiment),
            about: .init(
                "Stores bytes by their content", body: .bytes("application/octet-stream"),
                answer: .json([String: Digest].self))
        ) { request in
            try .json(["digest": try await services.objects.put(request.body)])
        }
    }

    private func digest(_ request: HTTPRequest) throws -> Digest {
        guard let digest = Digest(try request.parameter("digest")) else {
            throw WorksAPIFailure.badParameter("digest", "must be 64 hexadecimal digits")
        }
        return digest
    }

    func version(_ request: HTTPRequest) throws -> ModelVersionID {
        try ModelVersionID("\(try request.parameter("model"))/\(try request.parameter("version"))")
    }

    /// What became of a training.
    public struct TrainResult: Sendable, Codable {
        public var candidate: Candidate
        /// Nil where the gates refused it or registering was not asked for.
        public var version: ModelVersion?
    }

    private func train(_ request: HTTPRequest) async throws -> HTTPResponse {
        let options = try body(TrainBody.self, request)
        let principal = principal(request)
        let definition = try services.training.definition(try request.parameter("name"))
        let registers = options.register ?? true
        if registers { try request.caller?.require(.right(to: .register, on: "model"), on: definition.model) }
        let candidate = try await services.training.train(
            definition, from: options.from, to: options.to, code: options.code, by: principal)
        var version: ModelVersion?
        if registers {
            guard candidate.passed else {
                throw AutomationFailure.gatesRefused(
                    candidate: "run \(candidate.run)",
                    verdicts: candidate.verdicts.filter { !$0.passed }.map {
                        "\($0.gate), it is \($0.value.map { "\($0)" } ?? "missing")"
                    })
            }
            version = try await services.registry.register(candidate, by: principal, why: "trained on request")
        }
        return try .json(TrainResult(candidate: candidate, version: version))
    }
}

private struct StageBody: Codable {
    var stage: Stage
    var reason: String?
    var override: String?
}

private struct RegisterBody: Codable {
    var bundle: Digest
    var reason: String
}

private struct TrainBody: Codable {
    var from: Timestamp?
    var to: Timestamp?
    var register: Bool?
    /// The state of the code of the one who asks.
    var code: CodeState?
}
