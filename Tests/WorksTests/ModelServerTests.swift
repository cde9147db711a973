import Basics
import Foundation
import HTTP
import Inference
import Serving
import Synchronization
import Telemetry
import TestSupport
import Testing
import Works

/// A folder of models, served without a factory.
@Suite(.timeLimit(.minutes(1)))
struct ModelServerTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func answersForTheModelsOfAFolder() async throws {
        try folder.write("2", to: "double.onnx")
        try folder.write("3", to: "times/1/model.onnx")
        try folder.write("4", to: "times/2/model.onnx")
        try folder.write("no number", to: "broken.onnx")
        try await serve(tritonMetrics: true) { client in
            #expect(try await client.get("/v2/health/live").status == .ok)
            #expect(try await client.get("/v2/health/ready").status == .ok)
            #expect(try await ask(client, "double", 21) == 42)
            #expect(try await ask(client, "times", 10) == 40)
            #expect(try await ask(client, "times/versions/1", 10) == 30)
            #expect(try await client.get("/v2/models/broken/ready").status != .ok)
            #expect(try await client.get("/v2/models/double/ready").status == .ok)
            let index = try await client.send(.post, "/v2/repository/index")
            let entries = try JSON.decode([ModelIndexEntry].self, from: try await text(index))
            #expect(entries.map(\.name) == ["broken", "double", "times", "times"])
            #expect(entries.first?.reason.contains("no number") == true)
            let metrics = try await text(try await client.get("/metrics"))
            #expect(metrics.contains("nv_inference_request_success{model=\"double\",version=\"1\"} 1\n"))
            #expect(metrics.contains("nv_inference_count{model=\"times\",version=\"2\"} 1\n"))
            #expect(
                metrics.contains(
                    "modelworks_inference_stage_seconds_count"
                        + "{arm=\"stable\",model=\"double\",stage=\"inference\",version=\"1\"} 1\n"))
        }
    }

    @Test func isAliveBeforeItsModelsAreLoaded() async throws {
        try folder.write("waits", to: "slow.onnx")
        let gate = DispatchSemaphore(value: 0)
        let server = try ModelServer(options(gate: gate))
        let (stop, stopper) = AsyncStream<Void>.makeStream()
        let marks = Marks()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.serve(
                    ready: { _ in marks.ready.store(true, ordering: .releasing) },
                    until: { for await _ in stop { return } })
            }
            let deadline = SystemTime.monotonicNanoseconds + 10_000_000_000
            while server.repository.index(readyOnly: false).isEmpty, SystemTime.monotonicNanoseconds < deadline {
                await Task.yield()
            }
            let response = await server.router.dispatch(try HTTPRequest(method: .get, target: "/v2/health/ready"))
            #expect(response.status != .ok)
            let isReady = marks.ready.load(ordering: .acquiring)
            #expect(!isReady)
            gate.signal()
            while !marks.ready.load(ordering: .acquiring), SystemTime.monotonicNanoseconds < deadline {
                await Task.yield()
            }
            let later = await server.router.dispatch(try HTTPRequest(method: .get, target: "/v2/health/ready"))
            #expect(later.status == .ok)
            stopper.finish()
            try await group.waitForAll()
        }
    }

    @Test func aModelIsReplacedUnderLoad() async throws {
        try folder.write("1", to: "a.onnx")
        var options = options()
        options.repository.control = .explicit
        options.repository.loadedAtStart = ["a"]
        try await serve(options) { client in
            let marks = Marks()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<4 {
                    group.addTask {
                        while !marks.isOver.load(ordering: .acquiring) {
                            let answer = try? await ask(client, "a", Double(caller + 1))
                            let factor = (answer ?? 0) / Double(caller + 1)
                            if factor.rounded() != factor || factor < 1 {
                                marks.wrong.wrappingAdd(1, ordering: .relaxed)
                            }
                            marks.answered.wrappingAdd(1, ordering: .relaxed)
                        }
                    }
                }
                for version in 2...20 {
                    try folder.write("\(version)", to: "a.onnx")
                    let loaded = try await client.send(.post, "/v2/repository/models/a/load")
                    #expect(loaded.status == .ok)
                    #expect(try await ask(client, "a", 1) == Double(version))
                }
                marks.isOver.store(true, ordering: .releasing)
                try await group.waitForAll()
            }
            let (failures, answers) = (
                marks.wrong.load(ordering: .acquiring), marks.answered.load(ordering: .acquiring)
            )
            #expect(failures == 0)
            #expect(answers > 20)
        }
    }

    // MARK: The server

    private func options(gate: DispatchSemaphore? = nil) -> ModelServerOptions {
        var repository = RepositoryOptions(folder: folder.path)
        repository.load = { path in
            gate?.wait()
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            let text = try String(
                contentsOfFile: isFolder.boolValue ? "\(path)/model.onnx" : path, encoding: .utf8)
            if gate != nil { return Multiplier(factor: 1) }
            guard let factor = Double(text) else { throw NoNumber(text: text) }
            return Multiplier(factor: factor)
        }
        var options = ModelServerOptions(repository)
        options.port = 0
        options.grpcPort = 0
        options.logSink = .none()
        return options
    }

    private func serve(tritonMetrics: Bool = false, _ body: @Sendable (HTTPClient) async throws -> Void) async throws {
        var options = options()
        options.tritonMetrics = tritonMetrics
        try await serve(options, body)
    }

    private func serve(
        _ options: ModelServerOptions, _ body: @Sendable (HTTPClient) async throws -> Void
    ) async throws {
        try await FolderServer.run(options) { address in
            try await body(try HTTPClient(baseURL: address.url, connections: 8))
        }
    }
}

/// What tasks tell each other.
private final class Marks: Sendable {
    let ready = Atomic<Bool>(false)
    let isOver = Atomic<Bool>(false)
    let wrong = Atomic<Int>(0)
    let answered = Atomic<Int>(0)
}

private func text(_ response: HTTPResponse) async throws -> String {
    String(decoding: try await response.collect(), as: UTF8.self)
}

/// What a model makes of one number.
private func ask(_ client: HTTPClient, _ model: String, _ value: Double) async throws -> Double? {
    let response = try await FolderServer.send(client, model, value)
    return response.status == .ok ? try await FolderServer.number(response) : nil
}

private struct NoNumber: Failure {
    let code = FailureCode.invalidArgument
    let text: String
    var message: String { "'\(text)' is no number" }
}
