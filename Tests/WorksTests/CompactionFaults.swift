import Basics
import Engines
import Foundation
import HTTP
import TestSupport
import Testing

/// A server that is killed while it takes records out of their log: every answer that was given has one record afterwards.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct CompactionFaults {
    private static let rounds = 8
    private static let fixture = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../InferenceTests/Fixtures/product.onnx").standardizedFileURL.path

    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder("models"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: Self.fixture, toPath: folder("models/product.onnx"))
    }

    @Test func aKillLosesAndDoublesNoRecord() async throws {
        let random = SeededRandom(seed: 11)
        var given: Set<String> = []
        for round in 0..<Self.rounds {
            let (process, client) = try await start()
            let body = try await Self.body(client)
            async let asked = ask(client, body, round: round)
            async let compacted: Int = compact(client)
            try await Task.sleep(for: .milliseconds(Int(50 + random.next() % 700)))
            kill(process.processIdentifier, SIGKILL)
            given.formUnion(await asked)
            _ = await compacted
            process.waitUntilExit()
        }
        let (process, client) = try await start()
        let answer = try await client.get("/api/works/v1/predictions?limit=10000")
        let records = try JSON.decode(JSONValue.self, from: try await answer.collect()).array ?? []
        let ids = records.compactMap { $0["id"]?.string }
        #expect(given.count > Self.rounds)
        #expect(Set(ids).count == ids.count, "a record was seen twice")
        #expect(given.isSubset(of: Set(ids)), "\(given.subtracting(ids).count) of \(given.count) records are gone")
        // Those that were on their way when the process died.
        #expect(Set(ids).subtracting(given).count <= Self.rounds)
        process.terminate()
        process.waitUntilExit()
    }

    private func start() async throws -> (Process, HTTPClient) {
        let (process, name) = try Program.start(
            [
                "up", "--models", folder("models"), "--record", folder("kept"), "--http-port", "0", "--grpc-port", "0",
                "--json",
            ], [:], folder: folder.path)
        var url: String?
        try await BlockingThread(name: "starts").run {
            try waitUntil("the server is ready", within: 60) {
                !process.isRunning || Program.text("\(name).out").contains("\"url\"")
            }
        }
        for line in Program.text("\(name).out").split(separator: "\n") {
            url = (try? JSON.decode(JSONValue.self, from: Array(line.utf8)))?["url"]?.string ?? url
        }
        guard let url else {
            Issue.record("the server did not start: \(Program.text("\(name).err"))")
            throw Program.Missing()
        }
        return (process, try HTTPClient(baseURL: url, connections: 4))
    }

    /// A request without its id, of ones where the model's inputs may have any size.
    private static func body(_ client: HTTPClient) async throws -> String {
        let answer = try await client.get("/v2/models/product")
        let inputs = try JSON.decode(JSONValue.self, from: try await answer.collect())["inputs"]?.array ?? []
        return try inputs.map { input in
            let shape = (input["shape"]?.array ?? []).map { max(1, $0.integer ?? 1) }
            return try JSON.string(
                [
                    "name": input["name"] ?? .null, "datatype": input["datatype"] ?? .null,
                    "shape": .array(shape.map { .integer($0) }),
                    "data": .array(Array(repeating: .integer(1), count: Int(shape.reduce(1, *)))),
                ] as JSONValue)
        }.joined(separator: ",")
    }

    /// Asks until the server is gone; the ids of what was answered.
    private func ask(_ client: HTTPClient, _ inputs: String, round: Int) async -> Set<String> {
        var given: Set<String> = []
        for number in 0..<1000 {
            let id = "\(round)-\(number)"
            let answer = try? await client.send(
                .post, "/v2/models/product/infer", headers: ["Content-Type": "application/json"],
                body: Array("{\"id\":\"\(id)\",\"inputs\":[\(inputs)]}".utf8))
            guard let answer, answer.status == .ok else { break }
            given.insert(id)
        }
        return given
    }

    /// Compacts over and over until the server is gone; how often.
    private func compact(_ client: HTTPClient) async -> Int {
        var count = 0
        while let answer = try? await client.send(.post, "/api/works/v1/predictions/compact"), answer.status == .ok {
            count += 1
        }
        return count
    }
}
