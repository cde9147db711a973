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
        "", ".", "a/.", "%2Fetc", "a/\u{301}b", "a\u{600}/b", "a%2F%CC%81b", "a%252F%25CC%2581b", "%2e%2e/%ff",
        "%2525252525252525" + "41",
    ])
    func noPathLeadsOut(_ text: String) {
        #expect(throws: ExperimentsFailure.self) { try ArtifactPath(text) }
    }

    @Test func plainPathsAreTaken() throws {
        for text in ["a", "a/b c/ü.txt", "100%.txt", "a..b", "..a/b", "%25252525252525" + "41", "a/e\u{301}"] {
            #expect(try ArtifactPath(text).description == text)
        }
        #expect(
            try ArtifactPath(location: "mlflow-artifacts://host:5000/1/r/artifacts")?.description == "1/r/artifacts")
        #expect(try ArtifactPath(location: "s3://bucket/x") == nil)
    }

    @Test(.timeLimit(.minutes(1))) func aLongPathIsRefusedBeforeItIsLookedAt() {
        #expect(throws: ExperimentsFailure.self) {
            try ArtifactPath("%" + String(repeating: "25", count: 1_000_000))
        }
    }

    /// Paths that earlier versions took, in which a `/` is no character of its own.
    @Test(arguments: SQLEngine.allCases)
    func pathsAreCutByTheirBytes(_ engine: SQLEngine) async throws {
        let lab = try await Laboratory(engine)
        let root = try ArtifactPath("0/run/artifacts")
        let digest = try await lab.store.putArtifact([1], at: root.appending("plain"))
        try await lab.database.write { transaction in
            for path in ["\u{301}a", "sub/\u{301}b"] {
                try transaction.execute(
                    "INSERT INTO artifacts (path, digest, bytes) VALUES (?, ?, 1)",
                    [.text("\(root)/\(path)"), .text(digest.description)])
            }
        }
        #expect(Set(try await lab.store.artifacts(in: root).map(\.name)) == ["plain", "sub", "\u{301}a"])
        let manifest = try await lab.store.manifest(of: "mlflow-artifacts:/\(root)")
        #expect(Set(manifest.files.keys) == ["plain", "\u{301}a", "sub/\u{301}b"])
        try await lab.store.deleteArtifacts(at: root)
        #expect(try await lab.store.artifacts(in: root).isEmpty)
        await lab.database.close()
    }

    @Test(arguments: [
        ("mlflow-artifacts:/", "mlflow-artifacts:"), ("mlflow-artifacts:/team/", "mlflow-artifacts:/team"),
        ("mlflow-artifacts:/team", "mlflow-artifacts:/team"),
        ("mlflow-artifacts://h:5000/", "mlflow-artifacts://h:5000"),
        ("s3://bucket", "s3://bucket"), ("s3://bucket/x/", "s3://bucket/x"), ("/srv/x/", "/srv/x"),
    ])
    func aLocationMayEndInASlash(_ location: String, _ root: String) async throws {
        let lab = try await Laboratory(.sqlite)
        let id = try await lab.store.createExperiment(named: "e", location: location, tags: [], by: "user:test")
        #expect(try await lab.store.experiment(id).location == location)
        let run = try await lab.run(in: id)
        let place = try await lab.store.record(run).info.location
        #expect(place == "\(root)/\(run)/artifacts")
        let model = try await lab.store.createLoggedModel(
            in: id, name: nil, type: "", sourceRun: run, parameters: [], tags: [])
        #expect(model.location == "\(root)/models/\(model.id)/artifacts")
        let trace = try await lab.trace("tr-1", in: id)
        #expect(trace.tags == [Pair(key: TraceKey.location, value: "\(root)/traces/tr-1/artifacts")])
        if root.hasPrefix("mlflow") {
            try await lab.store.attach([1], as: "a/b", to: run)
            #expect(try await lab.store.manifest(of: place).files.keys.map { $0 } == ["a/b"])
        }
        await lab.database.close()
    }

    @Test(arguments: SQLEngine.allCases)
    func aTraceTakesItsOwnFilesWithItOnly(_ engine: SQLEngine) async throws {
        let lab = try await Laboratory(engine)
        let run = try await lab.run()
        let location = try await lab.store.record(run).info.location
        try await lab.store.attach([1], as: "model/m.txt", to: run)
        let foreign = Pair(key: TraceKey.location, value: location)
        let own = Pair(key: TraceKey.location, value: "mlflow-artifacts:/0/traces/tr-1/artifacts")
        for _ in 0..<2 { #expect(try await lab.trace("tr-1", tags: [foreign]).tags == [own]) }
        try await lab.store.setTag(own, ofTrace: "tr-1")
        await #expect(throws: ExperimentsFailure.self) { try await lab.store.setTag(foreign, ofTrace: "tr-1") }
        await #expect(throws: ExperimentsFailure.self) {
            try await lab.store.deleteTag(TraceKey.location, ofTrace: "tr-1")
        }
        // As an earlier version let it be set.
        try await lab.database.write { transaction in
            _ = try transaction.execute("UPDATE trace_tags SET value = ?", [.text(location)])
        }
        let file = try ArtifactPath("0/traces/tr-1/artifacts/traces.json")
        try await lab.store.putArtifact([2], at: file)
        #expect(try await lab.store.deleteTraces(.these(["tr-1"]), of: 0, by: "user:test") == 1)
        #expect(try await lab.store.manifest(of: location).files.count == 1)
        await #expect(throws: ExperimentsFailure.self) { try await lab.store.artifact(at: file) }
        // What something is made of stays, and so does all that was to go with it.
        _ = try await lab.trace("tr-1")
        try await lab.store.putArtifact([2], at: file)
        let manifest = try await lab.store.manifest(of: own.value)
        try await lab.database.write { try ExperimentStore.pin(manifest, by: "model/m/1", in: $0) }
        await #expect(throws: ExperimentsFailure.self) {
            try await lab.store.deleteTraces(.these(["tr-1"]), of: 0, by: "user:test")
        }
        #expect(try await lab.store.artifact(at: file) == [2])
        #expect(try await lab.store.trace("tr-1").id == "tr-1")
        await lab.database.close()
    }

    /// To Swift a `/` with a combining mark is one character, which is none to a file system.
    @Test func keysAreCutByBytes() {
        for key in ["a/../\u{345}b", "../\u{345}b", "/\u{345}b", "a//\u{345}b"] {
            #expect(throws: ExperimentsFailure.self, "\(key.debugDescription)") {
                try RecordRules.checkKey(key, "key")
            }
        }
        #expect(throws: Never.self) { try RecordRules.checkKey("a/\u{345}b", "key") }
    }
}
