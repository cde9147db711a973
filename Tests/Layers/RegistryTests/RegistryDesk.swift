import Basics
import Engines
import Experiments
import Journal
import ObjectStorage
import SQL
import TestSupport

@testable import Registry

/// A registry and what it stands on, on an engine of a test's choice.
struct RegistryDesk {
    let folder: TemporaryFolder
    let database: Database
    let registry: ModelRegistry
    let experiments: ExperimentStore
    let intake: VersionIntake
    let objects: FileObjectStore
    let time = ManualTime(Timestamp(seconds: 100))

    init(_ engine: SQLEngine = .sqlite) async throws {
        folder = try TemporaryFolder()
        database = try await engine.database(in: folder)
        try await database.migrate(Journal.migrations + ExperimentStore.migrations + ModelRegistry.migrations)
        registry = ModelRegistry(database: database, time: time)
        objects = try FileObjectStore(root: folder("objects"))
        experiments = ExperimentStore(
            database: database, objects: objects, time: time, random: SeededRandom(seed: 3), process: "test")
        intake = VersionIntake(registry: registry, experiments: experiments)
    }

    /// A run with what a careful script logs.
    func run(
        parameters: [String: String] = ["lr": "0.1"], metrics: [String: Double] = ["auc": 0.9],
        tags: [String: String] = ["mlflow.source.git.commit": "0a1b2c"], data: Bool = true
    ) async throws -> RunInfo {
        let run = try await experiments.createRun(
            in: 0, name: nil, user: "", started: Timestamp(seconds: 1), tags: [], by: "user:test"
        ).info
        try await experiments.log(
            RunBatch(
                metrics: metrics.map {
                    MetricEntry(MetricPoint(key: $0.key, value: $0.value, step: 0, time: Timestamp(seconds: 1)))
                }, parameters: parameters.map { Pair(key: $0.key, value: $0.value) },
                tags: tags.map { Pair(key: $0.key, value: $0.value) }), to: run.id)
        if data {
            try await experiments.logInputs(
                [
                    DatasetInput(
                        name: "orders", digest: "8f3a", sourceType: "local", source: "/data/orders.csv", schema: nil,
                        profile: nil, tags: [Pair(key: "mlflow.data.context", value: "training")])
                ], models: [], to: run.id)
        }
        return run
    }

    /// A version of a run that logged the files of a model.
    func version(_ model: String, of run: RunInfo, requirements: Bool = true) async throws -> ModelVersionID {
        if (try? await registry.model(model)) == nil {
            _ = try await registry.createModel(named: model, description: "", tags: [], by: "user:test")
        }
        let description = """
            flavors:
              python_function: {loader_module: mlflow.sklearn}
            saved_input_example_info: {artifact_path: input_example.json, type: dataframe}
            signature:
              inputs: '[{"type": "double", "name": "x", "required": true}]'
              outputs: '[{"type": "double", "required": true}]'
              params: null

            """
        var files = ["MLmodel": description, "model.pkl": "weights of \(run.id)", "input_example.json": "{}"]
        if requirements { files["requirements.txt"] = "scikit-learn==1.7\n" }
        for (path, text) in files {
            try await experiments.attach(Array(text.utf8), as: "model/\(path)", to: run.id)
        }
        return try await register(model, from: "model", of: run)
    }

    /// A version of what lies in a folder of a run.
    func register(_ model: String, from folder: String, of run: RunInfo) async throws -> ModelVersionID {
        try await intake.register(
            VersionDraft(
                model: model, source: "\(run.location)/\(folder)", run: run.id, runLink: "", loggedModel: nil,
                description: "", tags: []), by: "user:test"
        ).id
    }

    func version(_ model: String = "m") async throws -> ModelVersionID {
        try await version(model, of: try await run())
    }

    func stage(_ id: ModelVersionID) async throws -> Stage { try await registry.version(id).stage }
}
