import Basics
import Engines
import Experiments
import Journal
import ObjectStorage
import SQL
import TestSupport
import Testing

@testable import Registry

@Suite(.serialized) struct RegisteredModelTests {
    private struct Desk {
        let folder: TemporaryFolder
        let database: Database
        let registry: ModelRegistry
        let experiments: ExperimentStore
        let intake: VersionIntake

        init(_ engine: SQLEngine) async throws {
            folder = try TemporaryFolder()
            database = try await engine.database(in: folder)
            try await database.migrate(Journal.migrations + ExperimentStore.migrations + ModelRegistry.migrations)
            let time = ManualTime(Timestamp(seconds: 100))
            registry = ModelRegistry(database: database, time: time)
            experiments = ExperimentStore(
                database: database, objects: try FileObjectStore(root: folder("objects")), time: time,
                random: SeededRandom(seed: 3), process: "test")
            intake = VersionIntake(registry: registry, experiments: experiments)
        }

        func register(_ model: String, run: String? = nil, source: String = "s3://b/m") async throws -> Int64 {
            try await intake.register(
                VersionDraft(
                    model: model, source: source, run: run, runLink: "", loggedModel: nil, description: "", tags: []),
                by: "user:test"
            ).id.version
        }
    }

    @Test func aDocumentCountsFromItsHighestVersion() async throws {
        let desk = try await Desk(.sqlite)
        let moment = Timestamp(seconds: 1)
        let model = ArchivedModel(
            name: "m", description: "", created: moment, updated: moment, tags: [:], aliases: [:], lastVersion: 0,
            versions: [
                ArchivedModel.Version(
                    number: 5, stage: .none, description: "", source: "s3://b/m", location: "s3://b/m", run: "",
                    runLink: "", loggedModel: nil, created: moment, updated: moment, tags: [:])
            ])
        guard case .object(var members) = try JSON.value(model) else {
            Issue.record("no object")
            return
        }
        members["lastVersion"] = 0
        let told = try JSON.decode(ArchivedModel.self, from: try JSON.canonical(JSONValue.object(members)))
        #expect(told == model && told.lastVersion == 5)
        try await ModelIntake(registry: desk.registry, experiments: desk.experiments).adopt(told, by: "user:test")
        #expect(try await desk.register("m") == 6)
        await desk.database.close()
    }

    @Test(arguments: SQLEngine.allCases)
    func numbersAreNeverUsedAgain(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        _ = try await desk.registry.createModel(named: "m", description: "", tags: [], by: "user:test")
        let numbers = try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<100 { group.addTask { try await desk.register("m") } }
            return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
        }
        #expect(numbers == Set(1...100))
        try await desk.registry.deleteVersion(ModelVersionID(model: "m", version: 100), by: "user:test")
        #expect(try await desk.register("m") == 101)
        try await desk.registry.deleteModel("m", by: "user:test")
        await #expect(throws: RegistryFailure.self) { try await desk.register("m") }
        _ = try await desk.registry.createModel(named: "m", description: "again", tags: [], by: "user:test")
        #expect(try await desk.register("m") == 102)
        #expect(try await desk.registry.model("m").latest.map(\.id.version) == [102])
        _ = try await desk.registry.renameModel("m", to: "n", by: "user:test")
        #expect(try await desk.register("n") == 103)
        await #expect(throws: RegistryFailure.self) {
            try await desk.registry.createModel(named: "n", description: "", tags: [], by: "user:test")
        }
        _ = try await desk.registry.createModel(named: "m", description: "", tags: [], by: "user:test")
        #expect(try await desk.register("m") == 103)
        await desk.database.close()
    }

    @Test(arguments: SQLEngine.allCases)
    func ofTwoPromotionsOneIsInProduction(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        _ = try await desk.registry.createModel(named: "m", description: "", tags: [], by: "user:test")
        let run = try await desk.experiments.createRun(
            in: 0, name: nil, user: "", started: Timestamp(seconds: 1), tags: [], by: "user:test"
        ).info.id
        await #expect(throws: RegistryFailure.self) {
            let bare = ModelVersionID(model: "m", version: try await desk.register("m"))
            try await desk.registry.move(bare, to: .production, reason: "", by: "user:test")
        }
        let point = MetricPoint(key: "auc", value: 0.9, step: 0, time: Timestamp(seconds: 1))
        try await desk.experiments.log([point], to: run)
        let ids = [try await desk.register("m", run: run), try await desk.register("m", run: run)].map {
            ModelVersionID(model: "m", version: $0)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for id in ids {
                group.addTask { try await desk.registry.move(id, to: .production, reason: "", by: "user:test") }
            }
            try await group.waitForAll()
        }
        let stages = try await desk.registry.versions(of: "m").map(\.stage)
        #expect(stages.count { $0 == .production } == 1 && stages.count { $0 == .archived } == 1)
        await desk.database.close()
    }

    @Test func noMarkHidesASlash() async throws {
        let desk = try await Desk(.sqlite)
        for name in ["a/b", "a/\u{301}b", "a\u{600}/b", "a:\u{301}b"] {
            await #expect(throws: RegistryFailure.self, "\(name)") {
                try await desk.registry.createModel(named: name, description: "", tags: [], by: "user:test")
            }
        }
        for source in ["models:/a/\u{301}b/3", "models:/\u{301}/a/3", "runs:/r/\u{301}/../x", "s3://b\u{600}/../x"] {
            #expect(throws: RegistryFailure.self, "\(source)") { try VersionSource(source) }
        }
        #expect(try VersionSource("runs:/r/\u{301}x/y") == .run("r", path: "\u{301}x/y"))
        await desk.database.close()
    }

    @Test(arguments: SQLEngine.allCases)
    func aLoggedModelKnowsItsNewestVersions(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let model = try await desk.experiments.createLoggedModel(
            in: 0, name: nil, type: "", sourceRun: "", parameters: [], tags: []
        ).id
        func noted() async throws -> (text: String, versions: [Int64]) {
            let tags = try await desk.experiments.loggedModel(model).tags
            let text = try #require(tags.first { $0.key == "mlflow.modelVersions" }?.value)
            return (text, try JSON.decode([JSONValue].self, from: text).compactMap { $0["version"]?.integer })
        }
        let name = String(repeating: "x", count: 250)
        _ = try await desk.registry.createModel(named: name, description: "", tags: [], by: "user:test")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 { group.addTask { _ = try await desk.register(name, source: "models:/\(model)") } }
            try await group.waitForAll()
        }
        #expect(Set(try await noted().versions) == Set(1...16))
        for _ in 17...40 { _ = try await desk.register(name, source: "models:/\(model)") }
        // {"name":"<250>","version":NN} has 274 characters, 29 of them with their commas and brackets 7976, 30 have 8251;
        // what was registered at once has at most one digit less in each.
        let (text, versions) = try await noted()
        #expect(versions.count == 29 && Array(versions.suffix(24)) == Array(17...40))
        #expect((7971...7976).contains(text.unicodeScalars.count))
        await desk.database.close()
    }

    @Test func aVersionKeepsTheDigestsOfItsFiles() async throws {
        let desk = try await Desk(.sqlite)
        _ = try await desk.registry.createModel(named: "m", description: "", tags: [], by: "user:test")
        let run = try await desk.experiments.createRun(
            in: 0, name: nil, user: "", started: Timestamp(seconds: 1), tags: [], by: "user:test"
        ).info
        let digest = try await desk.experiments.attach(Array("weights".utf8), as: "model/w.txt", to: run.id)
        let number = try await desk.register("m", run: run.id, source: "\(run.location)/model")
        await #expect(throws: ExperimentsFailure.self) {
            try await desk.experiments.attach(Array("others".utf8), as: "model/w.txt", to: run.id)
        }
        let bundle = try await desk.registry.version(ModelVersionID(model: "m", version: number)).bundle
        let objects = try FileObjectStore(root: desk.folder("objects"))
        let manifest = try JSON.decode(JSONValue.self, from: try await objects.get(bundle))
        #expect(manifest["files"]?["w.txt"]?["digest"]?.string == digest.description)
        #expect(try await objects.get(digest) == Array("weights".utf8))
        for source in [
            "/etc/passwd", "file:///etc/passwd", "\(run.location)/../x", "mlflow-artifacts:/0/other", "runs:/x/m",
        ] {
            await #expect(throws: RegistryFailure.self, "\(source)") {
                try await desk.register("m", run: run.id, source: source)
            }
        }
        await desk.database.close()
    }
}
