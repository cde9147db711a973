import Basics
import Journal
import SQL
import TestSupport
import Testing

@testable import Registry

@Suite struct ModelRegistryTests {
    private func open(_ folder: TemporaryFolder) async throws -> (Database, ModelRegistry) {
        let database = try await Database.open(at: "\(folder.path)/works.db")
        _ = try await database.migrate(Journal.migrations + ModelRegistry.migrations)
        return (database, ModelRegistry(database: database, time: ManualTime(Timestamp(seconds: 0))))
    }

    private func register(_ registry: ModelRegistry, _ number: Int, run: String? = "run") async throws -> ModelVersion {
        try await registry.register(
            model: "m", bundle: Digest(of: "\(number)"), run: run.map { "\($0)\(number)" },
            materials: BillOfMaterials(
                datasets: [:], features: Digest(of: "f"), training: Digest(of: "t"), trainingSet: Digest(of: "s"),
                code: "1", environment: [:], seed: 1), metrics: ["auc": 0.7], description: "", by: "test")
    }

    @Test func aHundredRegistrationsAtOnceGetAHundredNumbers() async throws {
        let folder = try TemporaryFolder()
        let (database, registry) = try await open(folder)
        let numbers = try await withThrowingTaskGroup(of: Int64.self) { group in
            for number in 0..<100 { group.addTask { try await register(registry, number).id.version } }
            return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
        }
        #expect(numbers == Set(1...100))
        await database.close()
    }

    @Test func aNameIsCheckedHoweverAVersionIsRegistered() async throws {
        let folder = try TemporaryFolder()
        let (database, registry) = try await open(folder)
        for name in ["", " ", "a/b", "a:b", "..", String(repeating: "n", count: 257)] {
            await #expect(throws: RegistryFailure.self) {
                try await registry.register(
                    model: name, bundle: Digest(of: "b"), run: nil, materials: nil, metrics: [:], description: "",
                    by: "test")
            }
        }
        #expect(try await registry.versions().isEmpty)
        await database.close()
    }

    @Test func registeringTheSameRunAgainGivesTheSameVersion() async throws {
        let folder = try TemporaryFolder()
        let (database, registry) = try await open(folder)
        let first = try await register(registry, 1)
        let second = try await register(registry, 1)
        #expect(first == second)
        await database.close()
    }

    @Test func productionIsSwappedAsOne() async throws {
        let folder = try TemporaryFolder()
        let (database, registry) = try await open(folder)
        let one = try await register(registry, 1).id
        let two = try await register(registry, 2).id
        try await registry.move(one, to: .production, reason: "", by: "test")
        try await registry.move(two, to: .production, reason: "", by: "test")
        #expect(try await registry.version(one).stage == .archived)
        #expect(try await registry.production(of: "m")?.id == two)
        let moves = try await Journal(database).entries(type: "model.stage")
        #expect(moves.map(\.subject) == ["model/m/1", "model/m/1", "model/m/2"])
        await database.close()
    }

    @Test func everyStageChangeFollowsTheTable() {
        // Rows: from; columns: to None, Staging, Production, Archived.
        let table: [Stage: [Bool]] = [
            .none: [false, true, true, true], .staging: [false, false, true, true],
            .production: [false, true, false, true], .archived: [false, true, true, false],
        ]
        for (from, row) in table {
            #expect(Stage.allCases.map { from.allows($0) } == row, "from \(from)")
        }
    }

    @Test func aVersionWithoutItsRecordStaysOutOfProduction() async throws {
        let folder = try TemporaryFolder()
        let (database, registry) = try await open(folder)
        let bare = try await registry.register(
            model: "m", bundle: Digest(of: "x"), run: nil, materials: nil, metrics: [:], description: "", by: "test")
        await #expect(throws: RegistryFailure.self) {
            try await registry.move(bare.id, to: .production, reason: "", by: "test")
        }
        #expect(try await registry.version(bare.id).stage == .none)
        try await registry.move(bare.id, to: .production, reason: "", override: "an emergency", by: "test")
        #expect(try await registry.version(bare.id).stage == .production)
        await database.close()
    }
}
