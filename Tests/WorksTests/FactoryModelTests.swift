import Basics
import Foundation
import HTTP
import Inference
import Security
import Serving
import TestSupport
import Testing
import Works
import Workshop

/// Models of a folder beside the endpoints of a factory.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct FactoryModelTests {
    /// A factory with a model `double`, whose folder is that of its directory or another one.
    private func factory(
        folder: TemporaryFolder, models: String? = nil, records: String = ""
    ) async throws -> Workshop {
        try folder.write("2", to: "models/double.onnx")
        let shop = try await Workshop(in: folder) { options in
            options.models.folder = models
            options.models.load = { path in
                let text = try String(contentsOfFile: path, encoding: .utf8)
                return Multiplier(factor: Double(text) ?? 0)
            }
        }
        var files = Blueprint.files
        // What is told besides, within the one mapping that it is.
        files["works.yaml"] = files["works.yaml"]?.replacing("}", with: "\(records)}")
        try await shop.apply(files)
        return shop
    }

    private static func body(_ value: Double, id: String? = nil) -> String {
        "{" + (id.map { "\"id\":\"\($0)\"," } ?? "")
            + #""inputs":[{"name":"x","datatype":"FP64","shape":[1,1],"data":[\#(value)]}]}"#
    }

    private static let order = """
        {"inputs":[{"name":"shop","datatype":"BYTES","shape":[1],"data":["north"]},
        {"name":"size","datatype":"FP64","shape":[1],"data":[0.5]}]}
        """

    @Test func modelsAndEndpointsAnswerOnOneServer() async throws {
        let folder = try TemporaryFolder()
        do {
            let shop = try await factory(folder: folder)
            try await shop.trainAndDeploy()
            await shop.works.close()
        }
        // The folder of the directory that was applied is served from the next start on.
        let shop = try await factory(folder: folder)
        try await shop.serving { client in
            let answer = try await client.infer("double", Self.body(21, id: "q1"))
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.json["outputs"]?.array?.first?["data"] == [42])
            let scored = try await client.send(
                .post, "/v2/models/orders/infer", headers: ["Content-Type": "application/json"],
                body: Array(Self.order.utf8))
            #expect(scored.status == .ok)
            let made = try #require(scored.headers["X-Prediction-Id"])
            _ = try await scored.collect()

            // Records of both, by id, newest first, and after compaction.
            for turn in 0..<2 {
                if turn == 1 {
                    #expect(try await shop.post("/predictions/compact")["records"]?.integer == 2)
                }
                let found = try await shop.get("/predictions/q1").json.array?.first
                #expect(found?["kind"] == "model" && found?["model"] == "double")
                #expect(found?["inputs"]?.array?.first?["data"] == [21])
                #expect(found?["outputs"]?.array?.first?["data"] == [42])
                let order = try await shop.get("/predictions/\(made)").json.array?.first
                #expect(order?["kind"] == "endpoint" && order?["model"] == "orders")
                #expect(
                    order?["inputs"]?.array?.first?["labels"]?.array?.count
                        == order?["inputs"]?.array?.first?["data"]?.array?.count)
                #expect(
                    try await shop.get("/predictions?limit=10").json.array?.map { $0["id"] } == [.string(made), "q1"])
                #expect(try await shop.get("/predictions?model=double").json.array?.count == 1)
                #expect(try await shop.get("/predictions/nobody").status == 404)
                #expect(try await shop.get("/predictions?model=nobody").status == 404)
                let totals = try await shop.get("/endpoints/orders/totals").json
                #expect(totals["predictions"]?["records"] == 1)
            }

            // What Triton's tools ask of an endpoint.
            let config = try await client.read("/v2/models/orders/config").json
            #expect(config["platform"] == "modelworks" && config["max_batch_size"] == 0)
            #expect(config["output"] == [["name": "score", "data_type": "TYPE_FP64", "dims": [-1]]])
            #expect(config["version_policy"] == ["specific": ["versions": ["1"]]])
            let stats = try await client.read("/v2/models/orders/versions/1/stats").json["model_stats"]?.array?.first
            #expect(stats?["name"] == "orders" && stats?["version"] == "1" && stats?["inference_count"] == 1)
            #expect(stats?["inference_stats"]?["success"]?["count"] == 1)
            #expect((stats?["inference_stats"]?["success"]?["ns"]?.integer ?? 0) > 0)
            #expect((stats?["last_inference"]?.integer ?? 0) > 0)
            let all = try await client.read("/v2/models/stats").json["model_stats"]?.array
            #expect(all?.map { $0["name"] } == ["orders", "double"])

            let latency = try await shop.get("/latency/double").json.array?.first
            #expect(latency?["requests"] == 1 && latency?["stages"]?.array?.count == 6)
            #expect(try await shop.get("/latency/orders?quantile=0.99").json.array?.first?["arm"] == "stable")
            #expect(try await shop.get("/latency/orders?quantile=2").status == 400)
            #expect(try await shop.get("/latency/nobody").status == 404)
        }
    }

    @Test func aNameBelongsToOne() async throws {
        let folder = try TemporaryFolder()
        try folder.write("3", to: "models/orders.onnx")
        let shop = try await factory(folder: folder, models: folder("models"))
        try await shop.serving { client in
            let index = try await client.send(.post, "/v2/repository/index")
            let entries = try JSON.decode([ModelIndexEntry].self, from: try await index.collect())
            #expect(entries.filter { $0.name == "orders" }.contains { $0.reason.contains("an endpoint has its name") })
            // The other way round: an endpoint that would take a served model's name is not applied.
            var files = Blueprint.files
            for (path, text) in files where path.hasPrefix("serving/") {
                files[path] = text.replacing("endpoint: orders", with: "endpoint: double")
            }
            let refused = try await shop.send(
                .post, "/apply",
                shop.directory(files.filter { !$0.key.hasPrefix("monitoring") && !$0.key.hasPrefix("pipelines") }))
            #expect(refused.status == 400, "\(refused.text)")
            #expect(refused.text.contains("has the name of a model"))
        }
    }

    @Test func theDefaultsOfTheFactoryHold() async throws {
        let folder = try TemporaryFolder()
        let shop = try await factory(
            folder: folder, models: folder("models"),
            records: ", record: {redact: [{x: mask}, {other: hash}], outputs: false}")
        try await shop.serving { client in
            #expect(try await client.infer("double", Self.body(21, id: "q")).status == 200)
            let found = try await shop.get("/predictions/q").json.array?.first
            #expect(found?["inputs"]?.array?.first?["data"] == [0])
            #expect(found?["outputs"]?.array?.first?["data"] == nil)
        }
    }

    @Test func callersNeedTheSameRights() async throws {
        let folder = try TemporaryFolder()
        let shop = try await factory(folder: folder, models: folder("models"))
        let statuses: [Int] = try await shop.serving(ServerSecurity(access: .on)) { client in
            [
                try await client.infer("double", Self.body(1)).status,
                try await client.read("/api/works/v1/latency/double").status,
                try await client.read("/api/works/v1/predictions").status,
            ]
        }
        #expect(statuses == [401, 401, 401] as [Int])
    }

    @Test(.enabled(if: Clients.python != nil, "the stock clients are not set up"))
    func gRPCAnswersForBoth() async throws {
        let folder = try TemporaryFolder()
        let shop = try await factory(folder: folder, models: folder("models"))
        try await shop.trainAndDeploy()
        let (addresses, announce) = AsyncStream<String>.makeStream()
        let (stops, stop) = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { announce.finish() }
                try await shop.works.serve(
                    host: "127.0.0.1", port: 0, grpcPort: 0, grpcReady: { announce.yield($0) }, ready: { _ in },
                    until: { for await _ in stops { return } })
            }
            var addressed = addresses.makeAsyncIterator()
            if let address = await addressed.next() {
                let (text, isGood) = try await Clients.run("factory_grpc.py", [address])
                #expect(isGood, "\(text)")
            }
            stop.finish()
            try await group.waitForAll()
        }
    }
}

/// The environment with the stock clients of Triton.
private enum Clients {
    static let python: String? = {
        let folder = ProcessInfo.processInfo.environment["MODELWORKS_SERVING"] ?? ".deps/serving"
        return FileManager.default.isExecutableFile(atPath: "\(folder)/bin/python") ? "\(folder)/bin/python" : nil
    }()

    static func run(_ script: String, _ arguments: [String]) async throws -> (text: String, isGood: Bool) {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Conformance")
        return try await BlockingThread(name: "clients").run {
            let process = Process()
            process.executableURL = URL(filePath: python ?? "")
            process.arguments = ["\(folder.standardizedFileURL.path)/\(script)"] + arguments
            let output = Pipe()
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return (text, process.terminationStatus == 0)
        }
    }
}

extension HTTPClient {
    fileprivate func read(_ path: String) async throws -> Workshop.Answer {
        let response = try await get(path)
        return Workshop.Answer(status: response.status.code, body: try await response.collect())
    }
}
