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
            return path.isEmpty ? root : PathBytes.append(path, to: root)
        case .place: break
        }
        let isHere =
            PathBytes.rest(of: source, after: ArtifactPath.scheme) != nil
            || source.contains("/api/2.0/mlflow-artifacts/")
        let isLocal = !source.contains(":/") || source.hasPrefix("file:")
        guard isHere || isLocal else { return source }
        for root in try await roots(of: draft) {
            if let rest = PathBytes.rest(of: source, after: root), rest.isEmpty || rest.utf8.first == UInt8(ascii: "/")
            {
                return source
            }
        }
        throw refusal("It must lie below the artifacts of the run_id or model_id that is given")
    }

    private func roots(of draft: VersionDraft) async throws -> [String] {
        var roots: [String] = []
        if let run = draft.run { roots.append(try await experiments.record(run).info.location) }
        if let model = draft.loggedModel { roots.append(try await experiments.loggedModel(model).location) }
        return roots
    }

    /// Tells a logged model which versions it has become, the newest of them where the tag can not hold all.
    private func note(_ id: ModelVersionID, on model: String) async throws {
        try await experiments.changeTag(Self.versionsTag, ofModel: model) { old in
            var versions = old.flatMap { try? JSON.decode([JSONValue].self, from: $0) } ?? []
            versions.append(["name": .string(id.model), "version": .integer(id.version)])
            var text = try JSON.string(JSONValue.array(versions))
            while text.unicodeScalars.count > RecordRules.tagLength, versions.count > 1 {
                versions.removeFirst()
                text = try JSON.string(JSONValue.array(versions))
            }
            return text
        }
    }
}
