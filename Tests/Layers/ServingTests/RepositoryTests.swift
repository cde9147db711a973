import Basics
import Foundation
import Inference
import Serving
import Synchronization
import TestSupport
import Testing

/// Models of a folder.
@Suite(.timeLimit(.minutes(1)))
struct RepositoryTests {
    private let folder = TestFolder()

    @Test func findsEveryKindOfModel() async throws {
        try folder.write(
            "a.onnx", "1.txt", "b/1/model.onnx", "b/2/model.onnx", "b/10/model.onnx", "c/MLmodel", "d/x.txt")
        try folder.write("notes.md", ".hidden.onnx", "e/readme", "b/old/model.onnx", "b/02/model.onnx")
        let repository = folder.repository()
        try await repository.start()
        #expect(
            repository.index(readyOnly: false).map { "\($0.name) \($0.version) \($0.state.rawValue)" } == [
                "1 1 READY", "a 1 READY", "b 1 READY", "b 2 READY", "b 10 READY", "c 1 READY", "d 1 READY",
                "e  UNAVAILABLE",
            ])
        #expect(try repository.model("b", version: nil).version == "10")
        #expect(try repository.model("b", version: "2").versions == ["1", "2", "10"])
        #expect(repository.isReady)
        #expect(throws: ServingFailure.self) { try repository.model("b", version: "3") }
        #expect(throws: ServingFailure.self) { try repository.model("../a", version: nil) }
        #expect(throws: ServingFailure.self) { try repository.model("e", version: nil) }
        #expect(try !repository.isReady("e", version: nil))
        #expect(throws: ServingFailure.self) { try repository.isReady("nobody", version: nil) }
    }

    @Test func aModelThatDoesNotLoadLeavesTheRest() async throws {
        try folder.write("good.onnx", "twice.onnx", "twice.txt", "half/1/model.onnx")
        try folder.write("fails", to: "bad.onnx")
        try folder.write("fails", to: "half/2/model.onnx")
        let repository = folder.repository()
        try await repository.start()
        let index = repository.index(readyOnly: false)
        #expect(index.first { $0.name == "bad" }?.state == .unavailable)
        #expect(index.first { $0.name == "bad" }?.reason.contains("this file fails") == true)
        #expect(index.first { $0.name == "twice" }?.reason.contains("more than one") == true)
        #expect(repository.index(readyOnly: true).map(\.name) == ["good", "half"])
        #expect(try repository.model("half", version: nil).version == "1")
        #expect {
            try repository.model("half", version: "2")
        } throws: {
            ($0 as? any Failure)?.code == .unavailable
        }
    }

    @Test func followsTheFolder() async throws {
        try folder.write("a.onnx", "b/1/model.onnx")
        let repository = folder.repository(.poll)
        try await repository.start()
        let (generation, first) = (repository.generation, try repository.model("b", version: nil))
        try await repository.poll()
        #expect(try repository.model("b", version: nil) === first)
        #expect(folder.loads.count == 2)
        try folder.write("b/2/model.onnx", "c.onnx")
        try FileManager.default.removeItem(atPath: folder.path("a.onnx"))
        try await repository.poll()
        #expect(repository.index(readyOnly: true).map { "\($0.name)/\($0.version)" } == ["b/1", "b/2", "c/1"])
        #expect(try repository.model("b", version: "1") === first)
        #expect(first.versions == ["1", "2"])
        #expect(repository.generation != generation)
        #expect(folder.loads.count == 4)
        // A changed file that does not load leaves what serves.
        try folder.write("fails, and is longer", to: "b/1/model.onnx")
        try await repository.poll()
        #expect(try repository.model("b", version: "1") === first)
        #expect(repository.index(readyOnly: true).first?.reason.contains("does not load") == true)
        try folder.write("good again", to: "b/1/model.onnx")
        try await repository.poll()
        #expect(try repository.model("b", version: "1") !== first)
        #expect(repository.index(readyOnly: true).first?.reason == "")
        await #expect(throws: ServingFailure.self) { try await repository.load("c", override: nil) }
    }

    @Test func callersDecide() async throws {
        try folder.write("a.onnx", "b.onnx")
        var options = folder.options(.explicit)
        options.loadedAtStart = ["a"]
        let repository = ModelRepository(options, time: SystemTime(), random: SystemRandom())
        try await repository.start()
        #expect(repository.index(readyOnly: true).map(\.name) == ["a"])
        try await repository.load("b", override: nil)
        let first = try repository.model("b", version: nil)
        try await repository.load("b", override: nil)
        #expect(try repository.model("b", version: nil) !== first)
        try await repository.unload("a")
        #expect(
            repository.index(readyOnly: false).first
                == ModelIndexEntry(name: "a", version: "1", state: .unavailable, reason: "unloaded"))
        #expect(throws: ServingFailure.self) { try repository.model("a", version: nil) }
        for wrong in ["", "..", "a/..", "nobody", "../\(folder.name)"] {
            await #expect(throws: ServingFailure.self) { try await repository.load(wrong, override: nil) }
            await #expect(throws: ServingFailure.self) { try await repository.unload(wrong) }
        }
        options.loadedAtStart = ["nobody"]
        await #expect(throws: ServingFailure.self) {
            try await ModelRepository(options, time: SystemTime(), random: SystemRandom()).start()
        }
        try await repository.load("a", override: nil)
        #expect(repository.index(readyOnly: true).map(\.name) == ["a", "b"])
    }

    @Test func callersSendTheirOwn() async throws {
        try folder.write("a.onnx")
        let repository = folder.repository(.explicit)
        try await repository.start()
        let files = ["3/model.onnx": Array("sent".utf8)]
        try await repository.load(
            "a",
            override: ModelOverride(
                configuration: #"{"max_batch_size": 5, "instance_group": [{"count": 2}]}"#, files: files))
        let model = try repository.model("a", version: nil)
        #expect(model.version == "3")
        #expect(model.configuration.maxBatchSize == 5)
        #expect(model.configuration.instances == 2)
        #expect(folder.loads == ["sent"])
        for path in ["../b.onnx", "/b.onnx", "1/../../b.onnx", "", "1//model.onnx", "./model.onnx"] {
            await #expect(throws: ServingFailure.self) {
                try await repository.load("a", override: ModelOverride(files: [path: []]))
            }
        }
        await #expect(throws: (any Error).self) {
            try await repository.load("a", override: ModelOverride(configuration: "{\"max_batch_size\": -1}"))
        }
        #expect(try repository.model("a", version: nil).version == "3")
    }

    @Test func loadingOneHoldsUpNoOther() async throws {
        try folder.write("a.onnx")
        let repository = folder.repository(.explicit)
        try folder.write("waits", to: "slow.onnx")
        let slow = Task { try await repository.load("slow", override: nil) }
        try await eventually("the slow one is loading") {
            repository.index(readyOnly: false).first { $0.name == "slow" }?.state == .loading
        }
        try await repository.load("a", override: nil)
        let request = try StubModel.request(4)
        let outcome = try await repository.model("a", version: nil).infer(request.input)
        #expect(request.isAnswered(by: outcome.outputs))
        #expect(throws: ServingFailure.self) { try repository.model("slow", version: nil) }
        folder.gate.signal()
        try await slow.value
        _ = try repository.model("slow", version: nil)
    }

    @Test func whatIsReplacedIsFreed() async throws {
        try folder.write("a.onnx")
        let repository = folder.repository(.explicit)
        try await repository.load("a", override: nil)
        for _ in 0..<3 { try await repository.load("a", override: nil) }
        #expect(folder.alive.load(ordering: .acquiring) == 1)
        try await repository.unload("a")
        #expect(folder.alive.load(ordering: .acquiring) == 0)
    }

    @Test func versionPolicies() async throws {
        try folder.write(
            "all/1/m.txt", "all/2/m.txt", "latest/1/m.txt", "latest/2/m.txt", "some/1/m.txt", "some/2/m.txt")
        try folder.write("version_policy: {latest: {num_versions: 1}}", to: "latest/config.yaml")
        try folder.write("version_policy: {specific: {versions: [1, 7]}}", to: "some/config.yaml")
        let repository = folder.repository()
        try await repository.start()
        #expect(
            repository.index(readyOnly: false).map { "\($0.name)/\($0.version)" }
                == ["all/1", "all/2", "latest/2", "some/1"])
    }

    @Test func memoryIsGivenToWhoIsAsked() async throws {
        try folder.write("a.onnx", "b.onnx", "c.onnx")
        var options = folder.options()
        // Each takes 1000 bytes.
        options.memoryBytes = 2500
        let repository = ModelRepository(options, time: SystemTime(), random: SystemRandom())
        try await repository.start()
        #expect(repository.index(readyOnly: true).count == 3)
        let alive = { self.folder.alive.load(ordering: .acquiring) }
        #expect(alive() == 2)
        // One that is pushed out before its first run is loaded once more for it.
        let begun = folder.loads.count
        #expect((3...6).contains(begun))
        for (place, name) in ["a", "b", "c", "a", "a", "c", "b"].enumerated() {
            let request = try StubModel.request(Double(place))
            let outcome = try await repository.model(name, version: nil).infer(request.input)
            #expect(request.isAnswered(by: outcome.outputs))
            #expect(alive() == 2)
        }
        // a, b and c in turn each push out the one that comes next: a b c, a, none, none, b.
        let loads = folder.loads.count
        #expect(loads <= begun + 5)
        // Who asks while it is being loaded waits for that one load.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    _ = try await repository.model("a", version: nil).infer(try StubModel.request(1).input)
                }
            }
            try await group.waitForAll()
        }
        #expect(folder.loads.count == loads + 1)
        options.memoryBytes = 999
        let small = ModelRepository(options, time: SystemTime(), random: SystemRandom())
        try await small.start()
        #expect(small.index(readyOnly: true).isEmpty)
        #expect(small.index(readyOnly: false).first?.reason.contains("1000 bytes") == true)
    }
}

/// A models folder whose files hold what the loader is to do with them.
final class TestFolder: Sendable {
    private let folder: TemporaryFolder?
    private let loaded = Mutex<[String]>([])
    let alive = Atomic<Int>(0)
    let gate = DispatchSemaphore(value: 0)

    init() { folder = try? TemporaryFolder() }

    /// What was in the files that were loaded.
    var loads: [String] { loaded.withLock { $0 } }

    var name: String { ((folder?.path ?? "") as NSString).lastPathComponent }

    func path(_ name: String) -> String { "\(folder?.path ?? "")/\(name)" }

    func write(_ names: String...) throws { for name in names { try write("good", to: name) } }

    func write(_ text: String, to name: String) throws { try folder?.write(text, to: name) }

    func options(_ control: ModelControl = .none) -> RepositoryOptions {
        var options = RepositoryOptions(folder: folder?.path, control: control)
        options.load = { [self] path in
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            let file = isFolder.boolValue ? (try FileManager.default.contentsOfDirectory(atPath: path).first ?? "") : ""
            let text = try String(contentsOfFile: isFolder.boolValue ? "\(path)/\(file)" : path, encoding: .utf8)
            if text.hasPrefix("fails") { throw TestFailure() }
            if text.hasPrefix("waits") { gate.wait() }
            loaded.withLock { $0.append(text) }
            alive.wrappingAdd(1, ordering: .acquiringAndReleasing)
            return StubModel { [self] in alive.wrappingSubtract(1, ordering: .acquiringAndReleasing) }
        }
        return options
    }

    func repository(_ control: ModelControl = .none) -> ModelRepository {
        ModelRepository(options(control), time: SystemTime(), random: SystemRandom())
    }
}

/// What a loader says of a file that is to fail.
struct TestFailure: Failure {
    let code = FailureCode.invalidArgument
    let message = "this file fails"
}
