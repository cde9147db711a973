import Basics
import Experiments
import HTTP
import Registry
import Security

/// Bringing in what other stores have. Every route may be called again with the same document, and then changes nothing.
extension WorksAPI {
    func installImports(on router: Router) {
        let needs = RouteNeed.right(to: .administer)
        let rehearsal = RouteDocumentation.Parameter.optional("rehearsal", "only finds out whether it would work")
        router.post(
            "\(Self.prefix)/imports/experiments", needs: needs,
            about: .init(
                "Brings in an experiment, or finds the one brought in before",
                query: [
                    .optional("merge", "true takes in runs where another experiment has the name"), rehearsal,
                ], body: .json(ArchivedExperiment.self), answer: .json(ImportedExperiment.self))
        ) { request in
            let experiment = try await services.experiments.adopt(
                try body(ArchivedExperiment.self, request), isMerging: request.query("merge") == "true",
                isRehearsal: request.query("rehearsal") == "true", by: principal(request))
            return try .json(ImportedExperiment(experiment))
        }
        router.post(
            "\(Self.prefix)/imports/runs", needs: needs,
            about: .init(
                "Brings in runs with what was logged to them, all or none; points may come in parts",
                body: .json([ArchivedRun].self), answer: .json([String: Int].self))
        ) { request in
            let runs = try body([ArchivedRun].self, request)
            try await services.experiments.adopt(runs, by: principal(request))
            return try .json(["runs": runs.count])
        }
        router.post(
            "\(Self.prefix)/imports/logged-models", needs: needs,
            about: .init(
                "Brings in logged models, all or none", body: .json([ArchivedLoggedModel].self),
                answer: .json([String: Int].self))
        ) { request in
            let models = try body([ArchivedLoggedModel].self, request)
            try await services.experiments.adopt(models, by: principal(request))
            return try .json(["loggedModels": models.count])
        }
        router.route(
            .put, "\(Self.prefix)/imports/artifacts/{path:path}", needs: needs,
            about: .init(
                "Brings in a file, also one that a model version brought in without its files awaits",
                body: .bytes("application/octet-stream"), answer: .json([String: Digest].self)), takesPieces: true
        ) { request in
            let pieces = request.pieces
            let path = try ArtifactPath(try request.parameter("path"))
            return try .json([
                "digest": try await services.experiments.putArtifact(at: path, isArrival: true) {
                    try await pieces.next()
                }
            ])
        }
        router.post(
            "\(Self.prefix)/imports/models", needs: needs,
            about: .init(
                "Brings in a registered model with its versions", query: [rehearsal], body: .json(ArchivedModel.self),
                answer: .json([String: Int].self))
        ) { request in
            let model = try body(ArchivedModel.self, request)
            try await ModelIntake(registry: services.registry, experiments: services.experiments).adopt(
                model, isRehearsal: request.query("rehearsal") == "true", by: principal(request))
            return try .json(["versions": model.versions.count])
        }
        router.post(
            "\(Self.prefix)/imports/state", needs: needs,
            about: .init(
                "Tells what is here of some things, by the digests of their documents; what is not here is left out",
                body: .json(ImportQuery.self), answer: .json(ImportState.self))
        ) { request in try .json(try await state(try body(ImportQuery.self, request))) }
    }

    private func state(_ query: ImportQuery) async throws -> ImportState {
        var state = ImportState()
        for id in query.runs ?? [] {
            guard let run = try await services.experiments.archived(run: id) else { continue }
            state.runs.append(
                ArchiveState(
                    id: id, digest: try run.digest(),
                    files: try await services.experiments.files(below: run.location)))
        }
        for id in query.loggedModels ?? [] {
            guard let model = try await services.experiments.archived(loggedModel: id) else { continue }
            state.loggedModels.append(
                ArchiveState(
                    id: id, digest: try model.digest(),
                    files: try await services.experiments.files(below: model.location)))
        }
        for name in query.models ?? [] {
            guard let model = try await services.registry.archived(model: name) else { continue }
            state.models.append(ArchiveState(id: name, digest: try model.digest(), files: [:]))
            if try await services.registry.awaitsFiles(name) { state.awaiting.append(name) }
        }
        return state
    }
}

/// Whose state is asked for.
public struct ImportQuery: Sendable, Codable {
    /// Ids of runs.
    public var runs: [String]?
    /// Ids of logged models.
    public var loggedModels: [String]?
    /// Names of registered models.
    public var models: [String]?

    public init(runs: [String]? = nil, loggedModels: [String]? = nil, models: [String]? = nil) {
        self.runs = runs
        self.loggedModels = loggedModels
        self.models = models
    }
}

/// What is here of what was asked for.
public struct ImportState: Sendable, Codable {
    public var runs: [ArchiveState] = []
    public var loggedModels: [ArchiveState] = []
    public var models: [ArchiveState] = []
    /// The models of which versions await files that were left behind.
    public var awaiting: [String] = []
}

/// An experiment as it is here.
public struct ImportedExperiment: Sendable, Codable {
    /// Its id here.
    public var id: Int64
    public var experiment: ArchivedExperiment

    init(_ experiment: Experiment) {
        id = experiment.id
        self.experiment = ArchivedExperiment(
            name: experiment.name, location: experiment.location, stage: experiment.stage,
            created: experiment.created, updated: experiment.updated,
            tags: experiment.tags.reduce(into: [:]) { $0[$1.key] = $1.value })
    }
}
