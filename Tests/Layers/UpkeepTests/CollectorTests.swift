import Basics
import Engines
import Experiments
import Journal
import ObjectStorage
import Registry
import SQL
import Synchronization
import TestSupport
import Testing

@testable import Upkeep

/// A store whose removals fail at some moments, as they do when the process is killed there.
private struct BrittleStore: ObjectStore {
    struct Killed: Error {}

    let base: any ObjectStore
    /// How many more removals come to their end; nil for all.
    let left = Limit()

    final class Limit: Sendable {
        let count = Mutex<Int?>(nil)
    }

    func put(_ bytes: [UInt8]) async throws -> Digest { try await base.put(bytes) }
    func put(file path: String) async throws -> Digest { try await base.put(file: path) }
    func intake() async throws -> any ObjectIntake { try await base.intake() }
    func reader(_ digest: Digest) async throws -> ObjectReader { try await base.reader(digest) }
    func get(_ digest: Digest) async throws -> [UInt8] { try await base.get(digest) }
    func localPath(_ digest: Digest) async throws -> String { try await base.localPath(digest) }
    func contains(_ digest: Digest) async throws -> Bool { try await base.contains(digest) }
    func size(_ digest: Digest) async throws -> Int64 { try await base.size(digest) }
    func list() async throws -> [Digest] { try await base.list() }
    func check() async throws -> StoreReport { try await base.check() }
    func close() async { await base.close() }

    func delete(_ digest: Digest) async throws {
        let isAlive = left.count.withLock { count in
            guard let before = count else { return true }
            count = before - 1
            return before > 0
        }
        guard isAlive else { throw Killed() }
        try await base.delete(digest)
    }
}

/// A factory's stores with a collector and the room's own clock.
private struct House {
    let folder: TemporaryFolder
    let database: Database
    let base: BrittleStore
    let objects: CollectedObjectStore
    let time = ManualTime(Timestamp(seconds: 1000))
    /// What dates runs and versions: `time`, or another one as in a replay.
    let clock: ManualTime
    let experiments: ExperimentStore
    let registry: ModelRegistry
    let intake: VersionIntake

    init(_ engine: SQLEngine, clock: ManualTime? = nil) async throws {
        self.clock = clock ?? time
        folder = try TemporaryFolder()
        database = try await engine.database(in: folder, time: time)
        try await database.migrate(
            Leases.migrations + Journal.migrations + ExperimentStore.migrations + ModelRegistry.migrations
                + Collector.migrations)
        base = BrittleStore(base: try FileObjectStore(root: folder("objects")))
        objects = CollectedObjectStore(base, database: database, time: time, holder: "one")
        experiments = ExperimentStore(
            database: database, objects: objects, time: self.clock, random: SeededRandom(seed: 5), process: "test")
        registry = ModelRegistry(database: database, time: self.clock)
        intake = VersionIntake(registry: registry, experiments: experiments)
    }

    func collector(_ holder: String = "one") -> Collector {
        Collector(
            database: database, objects: base, experiments: experiments, registry: registry, clock: clock,
            time: time, holder: holder)
    }

    @discardableResult
    func collect(
        deleted: Int64 = 100, grace: Int64 = 10, isRehearsal: Bool = false
    ) async throws -> Collector.Report {
        try await collector().collect(
            deletedSeconds: deleted, graceSeconds: grace, isRehearsal: isRehearsal, by: "user:test")
    }

    func pass(_ seconds: Int64) { time.advance(to: time.now.advanced(bySeconds: seconds)) }

    func run() async throws -> String {
        try await experiments.createRun(
            in: 0, name: nil, user: "", started: time.now, tags: [], by: "user:test"
        ).info.id
    }

    /// Stores what nothing names, and lets a collector be killed when it has doomed it. No removal succeeds from then on.
    func doom(_ contents: [UInt8]...) async throws -> [Digest] {
        var digests: [Digest] = []
        for content in contents { digests.append(try await base.put(content)) }
        try await collect()
        pass(10)
        base.left.count.withLock { $0 = 0 }
        await #expect(throws: BrittleStore.Killed.self) { try await collect() }
        return digests
    }

    func register(_ run: String, source: String? = nil) async throws -> Digest {
        let version = try await intake.register(
            VersionDraft(
                model: "m", source: source ?? "runs:/\(run)/model", run: source == nil ? run : nil, runLink: "",
                loggedModel: nil, description: "",
                tags: []), by: "user:test")
        return try await registry.version(version.id).bundle
    }
}

@Suite(.serialized) struct CollectorTests {
    @Test(arguments: SQLEngine.allCases)
    func whatNothingNamesGoesAfterTheGrace(_ engine: SQLEngine) async throws {
        let house = try await House(engine)
        let run = try await house.run()
        let kept = try await house.experiments.attach([1, 2, 3], as: "a", to: run)
        let lost = try await house.experiments.attach([4], as: "b", to: run)
        _ = try await house.experiments.attach([5], as: "b", to: run)
        #expect(try await house.collect(isRehearsal: true).unnamed == 1)
        #expect(try await house.collect().removed == 0)
        house.pass(9)
        #expect(try await house.collect().removed == 0)
        house.pass(1)
        let report = try await house.collect()
        #expect(report.removed == 1 && report.removedBytes == 1)
        #expect(try await house.objects.contains(kept))
        #expect(try await !house.base.contains(lost))
        #expect(try await house.experiments.attach([4], as: "c", to: run) == lost)
        #expect(try await house.objects.get(lost) == [4])
    }

    @Test(arguments: SQLEngine.allCases)
    func deletedRunsGoUnlessAVersionWasMadeFromThem(_ engine: SQLEngine) async throws {
        let house = try await House(engine)
        _ = try await house.registry.createModel(named: "m", description: "", tags: [], by: "user:test")
        let (plain, source, fresh) = (try await house.run(), try await house.run(), try await house.run())
        for run in [plain, source, fresh] {
            _ = try await house.experiments.attach(Array(run.utf8), as: "model/x", to: run)
        }
        _ = try await house.register(source)
        try await house.registry.deleteVersion(ModelVersionID(model: "m", version: 1), by: "user:test")
        for run in [plain, source] { try await house.experiments.moveRun(run, to: .deleted, by: "user:test") }
        house.pass(101)
        try await house.experiments.moveRun(fresh, to: .deleted, by: "user:test")
        let rehearsal = try await house.collect(isRehearsal: true)
        #expect(rehearsal.runs == [plain] && rehearsal.keptForVersions == ["run \(source)"])
        _ = try await house.experiments.record(plain)
        let report = try await house.collect()
        #expect(report.runs == [plain] && report.keptForVersions == ["run \(source)"])
        await #expect(throws: ExperimentsFailure.self) { try await house.experiments.record(plain) }
        _ = try await house.experiments.record(source)
        _ = try await house.experiments.record(fresh)
        // Its file was named by nothing from then on.
        house.pass(10)
        #expect(try await house.collect().removed == 1)
        #expect(try await house.collect().runs == [])
    }

    @Test(arguments: SQLEngine.allCases)
    func whatAKilledCollectorDoomedLivesWhereItIsNamed(_ engine: SQLEngine) async throws {
        let house = try await House(engine)
        let run = try await house.run()
        let doomed = try await house.doom([1], [2])
        let (named, lost) = (try #require(doomed.first), try #require(doomed.last))
        try await house.experiments.log(RunBatch(tags: [Pair(key: "of", value: named.hex)]), to: run)
        house.base.left.count.withLock { $0 = nil }
        #expect(try await house.collect().removed == 1)
        #expect(try await house.objects.get(named) == [1])
        #expect(try await !house.base.contains(lost))
    }

    @Test(arguments: SQLEngine.allCases)
    func whatAKilledCollectorDoomedIsPardonedWhenItIsAskedFor(_ engine: SQLEngine) async throws {
        let asks: [@Sendable (CollectedObjectStore, Digest) async throws -> Void] = [
            { store, digest in
                let bytes = try await store.get(digest)
                #expect(bytes == [1])
            },
            { store, digest in _ = try await store.localPath(digest) },
            { store, digest in _ = try await store.reader(digest) },
            { store, digest in
                let stored = try await store.put([1])
                #expect(stored == digest)
            },
        ]
        for ask in asks {
            let house = try await House(engine)
            let digest = try #require(try await house.doom([1]).first)
            try await ask(house.objects, digest)
            house.base.left.count.withLock { $0 = nil }
            #expect(try await house.collect().removed == 0)
            #expect(try await house.base.contains(digest))
        }
    }

    @Test func whatIsBeingRemovedIsNotRead() async throws {
        let house = try await House(.sqlite)
        let digest = try #require(try await house.doom([1]).first)
        _ = try await Leases(house.database, time: house.time, holder: "two").acquire("upkeep", for: 60)
        let impatient = CollectedObjectStore(
            house.base, database: house.database, time: house.time, holder: "three", tries: 2)
        await #expect(throws: UpkeepFailure.self) { try await impatient.get(digest) }
    }

    @Test func deletionsAgeByTheClockThatDatesThem() async throws {
        let house = try await House(.sqlite, clock: ManualTime(Timestamp(seconds: 50)))
        house.pass(1_000_000)
        let run = try await house.run()
        try await house.experiments.moveRun(run, to: .deleted, by: "user:test")
        house.clock.advance(to: Timestamp(seconds: 149))
        #expect(try await house.collect().runs == [])
        house.clock.advance(to: Timestamp(seconds: 150))
        #expect(try await house.collect().runs == [run])
    }

    @Test func whatComesDeletedIsDeletedFromThenOn() async throws {
        let house = try await House(.sqlite)
        let old = Timestamp(seconds: 1)
        let run = ArchivedRun(
            RunInfo(
                id: String(repeating: "a", count: 32), experiment: 0, name: "r", user: "", status: .finished,
                stage: .deleted, location: "mlflow-artifacts:/0/a/artifacts", started: old, ended: old),
            parameters: [:], tags: [:], metrics: [], datasets: [], modelInputs: [], modelOutputs: [])
        func model(_ stage: LifecycleStage) -> ArchivedLoggedModel {
            ArchivedLoggedModel(
                LoggedModel(
                    id: "m-1", experiment: 0, name: "m", location: "mlflow-artifacts:/0/models/m-1/artifacts",
                    status: .ready, type: "", sourceRun: "", stage: stage, created: old, updated: old))
        }
        let experiment = ArchivedExperiment(
            name: "past", location: nil, stage: .deleted, created: old, updated: old, tags: [:])
        let past = try await house.experiments.adopt(experiment, isMerging: false, by: "user:test").id
        _ = try await house.experiments.createExperiment(named: "next", location: nil, tags: [], by: "user:test")
        try await house.experiments.adopt([run], by: "user:test")
        try await house.experiments.adopt([model(.active)], by: "user:test")
        house.pass(50)
        try await house.experiments.adopt([model(.deleted)], by: "user:test")
        house.pass(49)
        var report = try await house.collect()
        #expect(report.runs == [] && report.loggedModels == [] && report.experiments == [])
        house.pass(1)
        report = try await house.collect()
        #expect(report.runs == [run.id] && report.loggedModels == [] && report.experiments == ["\(past)"])
        house.pass(50)
        #expect(try await house.collect().loggedModels == ["m-1"])
    }

    @Test func aDeletedExperimentGivesItsNameBackAndNotItsId() async throws {
        let house = try await House(.sqlite)
        func make(_ name: String) async throws -> Int64 {
            try await house.experiments.createExperiment(named: name, location: nil, tags: [], by: "user:test")
        }
        let (one, two) = (try await make("one"), try await make("two"))
        for id in [one, two] { try await house.experiments.moveExperiment(id, to: .deleted, by: "user:test") }
        house.pass(101)
        #expect(try await house.collect().experiments == ["\(one)"])
        #expect(try await make("one") == two + 1)
        #expect(try await house.collect().experiments == ["\(two)"])
    }

    @Test func onlyOneCollects() async throws {
        let house = try await House(.sqlite)
        let leases = Leases(house.database, time: house.time, holder: "two")
        _ = try await leases.acquire("upkeep", for: 60)
        await #expect(throws: UpkeepFailure.self) { try await house.collect() }
        house.pass(61)
        try await house.collect()
    }

    /// What must be there, told by what was done and not by what is stored.
    private struct Expectation {
        var runs: [String: [String: UInt8]] = [:]
        var deleted: [String: (since: Int64, files: [String: UInt8])] = [:]
        /// Files of versions by manifest.
        var versions: [Digest: Set<UInt8>] = [:]
        var versionRuns: Set<String> = []

        var contents: Set<UInt8> {
            var all = Set(runs.values.flatMap(\.values)).union(deleted.values.flatMap { $0.files.values })
            for files in versions.values { all.formUnion(files) }
            return all
        }
    }

    private static func bytes(_ content: UInt8) -> [UInt8] { [UInt8](repeating: content, count: Int(content) + 1) }

    @Test(arguments: [1, 2, 3])
    func whatIsReachableReadsBack(seed: UInt64) async throws {
        let house = try await House(.sqlite)
        _ = try await house.registry.createModel(named: "m", description: "", tags: [], by: "user:test")
        let dice = Dice(random: SeededRandom(seed: seed))
        var expected = Expectation()
        var clock: Int64 = 0
        func pass(_ seconds: Int64) {
            clock += seconds
            house.pass(seconds)
        }
        for _ in 0..<120 {
            let (choice, content) = (dice.next(12), UInt8(dice.next(14)))
            let runs = expected.runs.keys.sorted()
            switch choice {
            case 0: expected.runs[try await house.run()] = [:]
            case 1, 2, 3:
                guard let run = dice.pick(runs) else { continue }
                let path = "model/f\(dice.next(3))"
                do {
                    _ = try await house.experiments.attach(Self.bytes(content), as: path, to: run)
                    expected.runs[run]?[path] = content
                } catch ExperimentsFailure.artifactPinned {
                    // A version is made of what lies there.
                    #expect(expected.versionRuns.contains(run))
                }
            case 4: _ = try await house.objects.put(Self.bytes(content))
            case 5:
                guard let run = dice.pick(runs) else { continue }
                try await house.experiments.moveRun(run, to: .deleted, by: "user:test")
                expected.deleted[run] = (clock, expected.runs.removeValue(forKey: run) ?? [:])
            case 6:
                guard let run = dice.pick(expected.deleted.keys.sorted()) else { continue }
                try await house.experiments.moveRun(run, to: .active, by: "user:test")
                expected.runs[run] = expected.deleted.removeValue(forKey: run)?.files
            case 7:
                guard let run = dice.pick(runs) else { continue }
                let manifest = try await house.register(run)
                expected.versions[manifest, default: []].formUnion(expected.runs[run]?.values.map { $0 } ?? [])
                expected.versionRuns.insert(run)
            case 8:
                let versions = try await house.registry.versions().map(\.id)
                if let id = dice.pick(versions) { try await house.registry.deleteVersion(id, by: "user:test") }
            case 9: pass(Int64(dice.next(60)))
            default:
                if dice.next(3) == 0 { house.base.left.count.withLock { $0 = dice.next(3) } }
                do { try await house.collect() } catch is BrittleStore.Killed {}
                house.base.left.count.withLock { $0 = nil }
                for (run, deleted) in expected.deleted
                where deleted.since <= clock - 100 && !expected.versionRuns.contains(run) {
                    expected.deleted[run] = nil
                }
                try await check(expected, house)
            }
        }
        // In the end nothing is left that nothing names, and nothing is gone that something does.
        pass(1000)
        try await house.collect()
        for (run, _) in expected.deleted where !expected.versionRuns.contains(run) { expected.deleted[run] = nil }
        pass(11)
        try await house.collect()
        try await check(expected, house)
        let left = Set(expected.contents.map { Digest(of: Self.bytes($0)) }).union(expected.versions.keys)
        #expect(Set(try await house.base.list()) == left)
    }

    private func check(_ expected: Expectation, _ house: House) async throws {
        for content in expected.contents {
            #expect(try await house.base.get(Digest(of: Self.bytes(content))) == Self.bytes(content))
        }
        for manifest in expected.versions.keys { _ = try await house.base.get(manifest) }
        for (run, files) in expected.runs {
            let record = try await house.experiments.run(run)
            #expect(
                record.artifacts.reduce(into: [:]) { $0[$1.path] = $1.digest }
                    == files.mapValues { Digest(of: Self.bytes($0)) })
        }
    }

    @Test(arguments: SQLEngine.allCases)
    func uploadsWhileItCollectsAreSafe(_ engine: SQLEngine) async throws {
        let house = try await House(engine)
        let run = try await house.run()
        for round in 0..<3 {
            // Each of these is condemned, and stored anew while it goes.
            for content in 0..<30 { _ = try await house.base.put([UInt8(round), UInt8(content)]) }
            try await house.collect(grace: 100)
            house.pass(101)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await house.collect(grace: 100) }
                for content in 0..<30 {
                    group.addTask {
                        let bytes = [UInt8(round), UInt8(content)]
                        _ = try await house.experiments.attach(bytes, as: "r\(round)/\(content)", to: run)
                    }
                }
                try await group.waitForAll()
            }
            try await house.collect(grace: 100)
            for file in try await house.experiments.run(run).artifacts {
                #expect(Digest(of: try await house.base.get(file.digest)) == file.digest)
            }
        }
        #expect(try await house.experiments.run(run).artifacts.count == 90)
    }
}

/// Choices that depend on the seed only.
private struct Dice {
    let random: SeededRandom

    func next(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    func pick<Item>(_ items: [Item]) -> Item? { items.isEmpty ? nil : items[next(items.count)] }
}
