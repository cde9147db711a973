import Basics
import Foundation
import HTTP
import Inference
import Records
import Serving
import Telemetry
import TestSupport
import Testing

/// Every way to ask a model leaves one record, whose id the caller has.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct RecordTests {
    private static let body = #"{"inputs":[{"name":"x","datatype":"FP64","shape":[2],"data":[1,2]}]}"#
    private static let named = #"{"id":"mine","inputs":[{"name":"x","datatype":"FP64","shape":[2],"data":[1,2]}]}"#

    private func serving(_ check: (ModelServer, PredictionFinder) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        let channels = try RecordChannels(localIn: folder.path)
        let records = RequestRecords(
            channels, key: Secret("k"), time: SystemTime(), random: SystemRandom(), metrics: MetricsRegistry())
        let repository = ModelRepository(time: SystemTime(), random: SystemRandom())
        var cached = ModelConfiguration()
        cached.responseCache = .init()
        for (name, model, configuration) in [
            ("echo", EchoModel.of(.fp64) as any TensorModel, ModelConfiguration()),
            ("cached", EchoModel.of(.fp64), cached), ("broken", BrokenModel(), ModelConfiguration()),
        ] {
            repository.register(
                try ServedModel(
                    name: name, version: "1", model: model, configuration: configuration, time: SystemTime(),
                    records: records))
        }
        let finder = PredictionFinder(channels, endpoints: EndpointTable())
        try await ModelServer.serving(repository) { try await check($0, finder) }
        await channels.close()
    }

    @Test func eachProtocolLeavesItsRecord() async throws {
        try await serving { server, finder in
            var ids: [String] = []
            func note(_ answer: ModelServer.Answer) throws {
                #expect(answer.status == 200, "\(answer.text)")
                ids.append(try #require(answer.headers["X-Prediction-Id"]))
            }
            // On the loop, as a task because of its encoding, as bytes, and by the other protocols.
            try note(try await server.infer("echo", Self.body))
            let zipped = try await server.send(
                .post, "/v2/models/echo/infer", Array(Self.body.utf8),
                headers: ["Content-Type": "application/json", "Content-Encoding": "identity"])
            try note(zipped)
            try note(try await server.infer("echo", "", raw([1.0, 2])))
            try note(try await server.post("/v1/models/echo:predict", #"{"instances":[1,2]}"#))
            try note(try await server.post("/endpoints/echo/invocations", #"{"inputs":[1,2]}"#))
            #expect(Set(ids).count == 5)
            for id in ids {
                let found = try await finder.find(id)
                #expect(found.count == 1)
                let record = try #require(found.first)
                #expect(
                    (record.kind, record.model, record.version, record.outcome) == (.model, "echo", "1", "answered"))
                #expect(record.inputs.first?.data == [.number(1), .number(2)])
                #expect(record.outputs.first?.name == "x_out")
                #expect(record.outputs.first?.data == [.number(1), .number(2)])
                #expect(record.stages.ingest > 0 && record.stages.total >= record.stages.inference)
            }
            // A caller that has an id of its own is not given another one.
            let own = try await server.infer("echo", Self.named)
            #expect(own.headers["X-Prediction-Id"] == nil)
            #expect(try await finder.find("mine").count == 1)
        }
    }

    @Test func cachedAnswersAndFailuresAreKept() async throws {
        try await serving { server, finder in
            for outcome in ["answered", "cached", "cached"] {
                let answer = try await server.infer("cached", Self.body)
                let record = try #require(try await finder.find(answer.headers["X-Prediction-Id"] ?? "").first)
                #expect(record.outcome == outcome)
                #expect(record.outputs.first?.data == [.number(1), .number(2)])
                #expect(outcome == "answered" || record.stages.inference == 0)
            }
            let body = #"{"id":"f","inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}"#
            #expect(try await server.infer("broken", body).status == 500)
            #expect(try await server.infer("echo", body).status == 400)
            let failed = try await finder.find("f")
            #expect(failed.map(\.outcome) == ["failed", "failed"])
            #expect(failed.map(\.model).sorted() == ["broken", "echo"])
            #expect(failed.allSatisfy { $0.error?.isEmpty == false })
        }
    }

    @Test(.enabled(if: ServingClients.python != nil, "the stock clients are not set up"))
    func callersOfGRPCGetTheirIdBack() async throws {
        try await serving { server, finder in
            let (text, isGood) = try await ServingClients.run(
                "prediction_ids.py", ["127.0.0.1:\(server.callPort)", "echo"])
            #expect(isGood, "\(text)")
            let ids = text.split(separator: "\n").map(String.init)
            #expect(ids.count == 3 && ids[0] == "mine")
            for id in ids {
                let found = try await finder.find(id)
                #expect(found.count == 1, "\(id)")
                #expect(found.first?.inputs.first?.data == [.number(1), .number(2)])
            }
        }
    }
}
