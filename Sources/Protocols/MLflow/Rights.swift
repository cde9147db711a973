import Basics
import Experiments
import HTTP
import Registry
import Security

/// What rights in MLflow's protocol can be limited to. Its requests name it in their fields, and not in their path.
enum ResourceKind: String {
    case model
    case experiment

    /// - Parameter path: of a route, such as `/mlflow/runs/create`; others concern the factory as a whole.
    init?(path: String) {
        let words = path.split(separator: "/").map(String.init)
        switch (words.first, words.dropFirst().first) {
        case ("mlflow", "registered-models"?), ("mlflow", "model-versions"?): self = .model
        case ("mlflow", "experiments"?), ("mlflow", "runs"?), ("mlflow", "metrics"?), ("mlflow", "logged-models"?),
            ("mlflow", "artifacts"?), ("mlflow-artifacts", _):
            self = .experiment
        default: return nil
        }
    }
}

extension MLflow {
    /// Refuses a request for models or experiments that its caller has no right on. One that names none of them, such as
    /// a search over all, needs the right on the whole factory.
    func authorise(_ action: Action, on kind: ResourceKind, _ path: String, _ request: HTTPRequest) async throws {
        // Without a guard everybody may do everything; with one, most callers may do it everywhere.
        guard let caller = request.caller, !Self.mayEverywhere(caller, action) else { return }
        let names =
            path.hasPrefix("/mlflow-artifacts")
            ? try await experimentOfArtifact(request)
            : try await resources(of: kind, path, request)
        if names.isEmpty { try caller.require(.right(to: action)) }
        for name in names { try caller.require(.right(to: action, on: kind.rawValue), on: name) }
    }

    /// Refuses a caller who may not see what a version would be made from.
    func authoriseSource(of draft: VersionDraft, _ request: HTTPRequest) async throws {
        guard let caller = request.caller, !Self.mayEverywhere(caller, .read) else { return }
        var names: [String] = []
        if let run = draft.run { names.append(try await experiment(ofRun: run)) }
        if let model = draft.loggedModel { names.append(try await experiment(ofLoggedModel: model)) }
        for name in names { try caller.require(.right(to: .read, on: ResourceKind.experiment.rawValue), on: name) }
        switch try VersionSource(draft.source) {
        case .version(let id):
            try caller.require(.right(to: .read, on: ResourceKind.model.rawValue), on: id.model)
        case .loggedModel(let id):
            let name = try await experiment(ofLoggedModel: id)
            try caller.require(.right(to: .read, on: ResourceKind.experiment.rawValue), on: name)
        case .run, .place: break
        }
    }

    private static func mayEverywhere(_ caller: Caller, _ action: Action) -> Bool {
        (try? caller.require(.right(to: action))) != nil
    }

    /// The names of what a request is about, every one of them that it gives: what a handler passes over must be no way
    /// around what it reads.
    private func resources(of kind: ResourceKind, _ path: String, _ request: HTTPRequest) async throws -> [String] {
        let fields = try Fields(request)
        func given(_ name: String) throws -> [String] {
            try fields.optionalIdentifier(name).flatMap { $0.isEmpty ? nil : [$0] } ?? []
        }
        if kind == .model {
            // A new name gives what is done to the one that has it, or will have it.
            return path.hasSuffix("/search") ? [] : try given("name") + given("new_name")
        }
        // It looks at all there are, whatever else the request says.
        if path == "/mlflow/experiments/search" { return [] }
        var names: [String] = []
        for id in try Self.experimentIDs(fields) { names.append(try await experiments.experiment(id).name) }
        if path.hasSuffix("/search") { return names }
        names += try given("experiment_name") + given("new_name")
        if path == "/mlflow/experiments/create" { names += try given("name") }
        for id in try given("experiment_id") {
            names.append(try await experiments.experiment(try Self.experimentID(id)).name)
        }
        let runs = try given("run_id") + given("run_uuid") + given("source_run_id") + fields.texts("run_ids")
        for run in Set(runs + (try fields.texts("run_id"))) { names.append(try await experiment(ofRun: run)) }
        let linked = try (fields.messages("metrics") + fields.messages("models")).compactMap {
            try $0.optionalText("model_id")
        }
        let path = request.parameters["id"].map { [$0] } ?? []
        for model in Set(try given("model_id") + linked + path) where !model.isEmpty {
            names.append(try await experiment(ofLoggedModel: model))
        }
        return names
    }

    /// Artifacts lie below the id of their experiment, unless it was made with a place of its own.
    private func experimentOfArtifact(_ request: HTTPRequest) async throws -> [String] {
        let path = request.parameters["path"] ?? request.query("path") ?? ""
        guard !path.isEmpty, let first = try ArtifactPath(path).description.split(separator: "/").first,
            let id = Int64(first)
        else { return [] }
        return [try await experiments.experiment(id).name]
    }

    private func experiment(ofRun id: String) async throws -> String {
        try await experiments.experiment(try await experiments.record(id).info.experiment).name
    }

    private func experiment(ofLoggedModel id: String) async throws -> String {
        try await experiments.experiment(try await experiments.loggedModel(id).experiment).name
    }
}
