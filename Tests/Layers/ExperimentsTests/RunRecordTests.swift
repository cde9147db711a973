import Basics
import Engines
import Experiments
import Journal
import ObjectStorage
import SQL
import TestSupport
import Testing

@Suite(.serialized) struct RunRecordTests {
    private func point(_ value: Double, _ step: Int64, _ time: Int64) -> MetricEntry {
        MetricEntry(MetricPoint(key: "m", value: value, step: step, time: Timestamp(seconds: time)))
    }

    @Test(arguments: SQLEngine.allCases)
    func theLatestPointHasTheGreatestStepThenTimeThenValue(_ engine: SQLEngine) async throws {
        let lab = try await Laboratory(engine)
        let random = SeededRandom(seed: 11)
        func draw(_ count: UInt64) -> Int64 { Int64(random.next() % count) }
        for _ in 0..<12 {
            let run = try await lab.run()
            var points: [MetricEntry] = []
            for _ in 0..<30 {
                points.append(point(draw(8) == 0 ? .nan : Double(draw(5)) - 2, draw(4) - 1, draw(3)))
            }
            for start in stride(from: 0, to: points.count, by: 7) {
                let part = Array(points[start..<min(start + 7, points.count)])
                try await lab.store.log(RunBatch(metrics: part), to: run)
            }
            // By hand from the rule: a later point wins only where it is greater; what is no number counts as 0.
            var latest = points[0].point
            for entry in points.dropFirst() {
                func rank(_ point: MetricPoint) -> (Int64, Int64, Double) {
                    (point.step, point.time.microseconds, point.value.isNaN ? 0 : point.value)
                }
                if rank(entry.point) > rank(latest) { latest = entry.point }
            }
            let found = try await lab.store.record(run).metrics
            #expect(found.count == 1)
            #expect(found.first?.step == latest.step && found.first?.time == latest.time)
            let isSame = found.first?.value == latest.value || (found.first?.value.isNaN == true && latest.value.isNaN)
            #expect(isSame, "\(String(describing: found.first)) instead of \(latest)")
            let history = try await lab.store.history(of: "m", run: run)
            let distinct = Set(
                points.map { "\($0.point.step) \($0.point.time) \($0.point.value)" })
            #expect(history.count == distinct.count)
        }
        await lab.database.close()
    }

    @Test(arguments: SQLEngine.allCases)
    func ofWritersOfOneParameterOneWins(_ engine: SQLEngine) async throws {
        let lab = try await Laboratory(engine)
        let run = try await lab.run()
        let wins = await withTaskGroup(of: Int?.self) { group in
            for number in 0..<16 {
                group.addTask {
                    let batch = RunBatch(parameters: [Pair(key: "p", value: "\(number)")])
                    do { try await lab.store.log(batch, to: run) } catch { return nil }
                    return number
                }
            }
            return await group.reduce(into: [Int]()) { if let number = $1 { $0.append(number) } }
        }
        #expect(wins.count == 1)
        #expect(try await lab.store.record(run).parameters.map(\.value) == wins.map(String.init))
        await lab.database.close()
    }

    @Test(arguments: SQLEngine.allCases)
    func aBatchIsKeptWholeOrNotAtAll(_ engine: SQLEngine) async throws {
        let lab = try await Laboratory(engine)
        let run = try await lab.run()
        try await lab.store.log(RunBatch(parameters: [Pair(key: "p", value: "1")]), to: run)
        await #expect(throws: ExperimentsFailure.self) {
            try await lab.store.log(
                RunBatch(metrics: [point(1, 1, 1)], parameters: [Pair(key: "p", value: "2")]), to: run)
        }
        let record = try await lab.store.record(run)
        #expect(record.metrics.isEmpty)
        #expect(record.parameters == [Pair(key: "p", value: "1")])
        await lab.database.close()
    }

    @Test(arguments: SQLEngine.allCases)
    func whatEarlierVersionsKeptIsStillThere(_ engine: SQLEngine) async throws {
        let folder = try TemporaryFolder()
        let database = try await engine.database(in: folder)
        try await database.migrate(Journal.migrations + ExperimentStore.migrations.prefix(2))
        try await database.write { transaction in
            try transaction.script(
                """
                INSERT INTO runs VALUES ('r1', 'flights', 'one', 'FINISHED', 5000000, 6000000, NULL);
                INSERT INTO runs VALUES ('r2', 'orders', 'two', 'RUNNING', 4000000, NULL, NULL);
                INSERT INTO run_parameters VALUES ('r1', 'depth', '7');
                INSERT INTO run_tags VALUES ('r1', 'a', 'b');
                INSERT INTO run_metrics VALUES ('r1', 'auc', 1, 0.5, 1);
                INSERT INTO run_metrics VALUES ('r1', 'auc', 2, 0.75, 1);
                INSERT INTO run_artifacts VALUES ('r1', 'model/m.txt', '\(Digest(of: "x"))', 1);
                """)
        }
        try await database.migrate(Journal.migrations + ExperimentStore.migrations)
        let store = ExperimentStore(
            database: database, objects: try FileObjectStore(root: folder("objects")),
            time: ManualTime(Timestamp(seconds: 9)), random: SeededRandom(seed: 1), process: "p")
        let run = try await store.run("r1")
        #expect(run.experiment == "flights" && run.name == "one" && run.status == .finished)
        #expect(run.parameters == ["depth": "7"] && run.tags == ["a": "b"] && run.metrics == ["auc": 0.75])
        #expect(run.artifacts.map(\.path) == ["model/m.txt"] && run.ended == Timestamp(seconds: 6))
        #expect(try await store.history(of: "auc", run: "r1").map(\.value) == [0.5, 0.75])
        #expect(try await store.experiment(named: "orders").id == 1)
        #expect(try await store.workingProcesses() == [""])
        #expect(try await store.failAbandoned(by: "") == ["r2"])
        #expect(try await store.experiment(0).name == "Default")
        await database.close()
    }

    @Test func runsOfClientsAreNotEndedByUs() async throws {
        let lab = try await Laboratory(.sqlite)
        _ = try await lab.run()
        let own = try await lab.store.start(
            experiment: "own", name: "n", parameters: ["a": "1"], tags: [:], by: "user:test")
        #expect(try await lab.store.workingProcesses() == ["test"])
        #expect(try await lab.store.failAbandoned(by: "test") == [own])
        #expect(try await lab.find("").items.map(\.info.status) == [.running])
        await lab.database.close()
    }

    @Test(arguments: [
        "../a", "a/../b", "/a", "a//b", "a\\b", "C:/a", "a#b", "%2e%2e/a", "a/%2e%2e%2fb", "%252e%252e/a", "a/%2Fb",
        "a\u{0}b",
        "", ".", "a/.", "%2Fetc",
    ])
    func noPathLeadsOut(_ text: String) {
        #expect(throws: ExperimentsFailure.self) { try ArtifactPath(text) }
    }

    @Test func plainPathsAreTaken() throws {
        for text in ["a", "a/b c/ü.txt", "100%.txt", "a..b", "..a/b"] {
            #expect(try ArtifactPath(text).description == text)
        }
        #expect(
            try ArtifactPath(location: "mlflow-artifacts://host:5000/1/r/artifacts")?.description == "1/r/artifacts")
        #expect(try ArtifactPath(location: "s3://bucket/x") == nil)
    }
}
