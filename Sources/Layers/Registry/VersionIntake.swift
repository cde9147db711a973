import Basics
import Experiments

/// Registers versions from what runs have logged: looks where a source leads, keeps which files are there by their digests,
/// and what the run measured.
public struct VersionIntake: Sendable {
    private let registry: ModelRegistry
    private let experiments: ExperimentStore

    public init(registry: ModelRegistry, experiments: ExperimentStore) {
        self.registry = registry
        self.experiments = experiments
    }

    /// Registers the next version of a model.
    ///
    /// A source of this factory must belong to the run or the logged model that is named with it; one elsewhere, such as in
    /// S3, is taken as it is.
    /// - Throws: ``RegistryFailure/badSource(_:reason:)``, ``RegistryFailure/unknownModel(_:)``, or what the run or the logged
    ///   model is not found with.
    public func register(_ draft: VersionDraft, by principal: String) async throws -> RegisteredVersion {
        // So that nothing of a model that is not there is looked at.
        _ = try await registry.model(draft.model)
        var draft = draft
        let location = try await locate(&draft)
        let run: RunRecord? = if let run = draft.run { try await experiments.record(run) } else { nil }
        let model: LoggedModel? =
            if let model = draft.loggedModel { try await experiments.loggedModel(model) } else { nil }
        let found = try await ModelRegistry.Finding(at: location, run: run, model: model, in: experiments)
        let version = try await registry.register(draft, found, by: principal)
        if let model = draft.loggedModel { try await note(version.id, on: model) }
        return version
    }

    private static let versionsTag = "mlflow.modelVersions"

    /// Where a source leads to.
    private func locate(_ draft: inout VersionDraft) async throws -> String {
        let source = draft.source
        func refusal(_ reason: String) -> RegistryFailure { .badSource(source, reason: reason) }
        switch try VersionSource(source) {
        case .loggedModel(let id):
            guard draft.loggedModel == nil || draft.loggedModel == id else {
                throw refusal("It is another logged model than the model_id that is given")
            }
            let model = try await experiments.loggedModel(id)
            draft.loggedModel = id
            if draft.run == nil, !model.sourceRun.isEmpty { draft.run = model.sourceRun }
            return model.location
        case .version(let id):
            let other = try await registry.registered(id)
            draft.run = other.run.isEmpty ? nil : other.run
            draft.loggedModel = other.loggedModel
            return other.location
        case .run(let run, let path):
            guard run == draft.run else { throw refusal("Its run is not the run_id that is given") }
            let root = try await experiments.record(run).info.location
            return path.isEmpty ? root : "\(root)/\(path)"
        case .place: break
        }
        let isHere = source.hasPrefix(ArtifactPath.scheme) || source.contains("/api/2.0/mlflow-artifacts/")
        let isLocal = !source.contains(":/") || source.hasPrefix("file:")
        guard isHere || isLocal else { return source }
        for root in try await roots(of: draft) where source == root || source.hasPrefix(root + "/") { return source }
        throw refusal("It must lie below the artifacts of the run_id or model_id that is given")
    }

    private func roots(of draft: VersionDraft) async throws -> [String] {
        var roots: [String] = []
        if let run = draft.run { roots.append(try await experiments.record(run).info.location) }
        if let model = draft.loggedModel { roots.append(try await experiments.loggedModel(model).location) }
        return roots
    }

    /// Tells a logged model which versions it has become.
    private func note(_ id: ModelVersionID, on model: String) async throws {
        let old = try await experiments.loggedModel(model).tags.first { $0.key == Self.versionsTag }?.value
        var versions = old.flatMap { try? JSON.decode([JSONValue].self, from: $0) } ?? []
        versions.append(["name": .string(id.model), "version": .integer(id.version)])
        let tag = Pair(key: Self.versionsTag, value: try JSON.string(JSONValue.array(versions)))
        _ = try await experiments.log(RunBatch(tags: [tag]), toModel: model)
    }
}
