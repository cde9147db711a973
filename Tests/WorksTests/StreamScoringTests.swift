import Basics
import Foundation
import HTTP
import Streams
import Telemetry
import TestSupport
import Testing
import Workshop

@testable import Works

/// Scorers that a factory defines, on its own log.
@Suite struct StreamScoringTests {
    private static let definition = """
        scorer: risks
        owner: test
        model: models:/order-failure/Production
        from: orders
        to: risks
        partitions: 2

        """

    @Test func aFactoryScoresItsStreamWithFeaturesOfItsStore() async throws {
        let shop = try await Workshop()
        let rows = Rows()
        try await shop.apply(Blueprint.files(with: ["streams/risks.yaml": Self.definition]), rows: rows)
        try await shop.trainAndDeploy()
        let orders = rows.orders.filter { $0.placed >= Blueprint.trainedTo }.prefix(40)
        // Before it is served nobody else has the log open.
        let streams = try await open(shop)
        let topic = try TopicName("orders")
        try await streams.createTopic(topic, partitions: 2)
        try await streams.publish(
            try orders.map { order in
                let (id, shop) = (try JSON.string(order.id), try JSON.string(order.shop))
                return StreamRecord(
                    key: order.shop, value: #"{"id": \#(id), "shop": \#(shop), "size": \#(order.size)}"#)
            } + [StreamRecord(key: "a", value: #"{"id": "bad", "size": 3}"#)], to: topic)
        await streams.close()
        let asked = try await shop.serving { client in
            let deadline = ContinuousClock.now + .seconds(60)
            while true {
                let status = try await shop.get("/scorers").json.array?.first
                if status?["scored"]?.integer == Int64(orders.count), status?["rejected"]?.integer == 1 {
                    #expect(status?["model"]?.string == Blueprint.model && status?["version"]?.string == "1")
                    break
                }
                try #require(ContinuousClock.now < deadline, "\(status ?? .null)")
                try await Task.sleep(for: .milliseconds(20))
            }
            // The endpoint asks the same model with the same features at the same moment.
            var asked: [String: Double] = [:]
            for order in orders {
                let body = """
                    {"id":\(try JSON.string(order.id)),"inputs":[\
                    {"name":"shop","datatype":"BYTES","shape":[1],"data":[\(try JSON.string(order.shop))]},\
                    {"name":"size","datatype":"FP64","shape":[1],"data":[\(order.size)]}]}
                    """
                let answer = try await shop.works.dispatch(
                    .post, "/v2/models/\(Blueprint.endpoint)/infer", headers: ["Content-Type": "application/json"],
                    body: Array(body.utf8))
                let document = try JSON.decode(JSONValue.self, from: answer.body)
                asked[order.id] = document["outputs"]?.array?.first?["data"]?.array?.first?.double
            }
            return asked
        }
        let again = try await open(shop)
        var scored: [String: Double] = [:]
        for partition in 0..<2 {
            for record in try await again.held(try TopicName("risks"), partition: partition, from: 0, limit: 1000) {
                let value = try JSON.decode(JSONValue.self, from: record.record.value)
                scored[value["id"]?.string ?? ""] = value["outputs"]?["output__0"]?.double
            }
        }
        let letters =
            try await again.held(
                try TopicName("orders.rejected"), partition: 0, from: 0, limit: 10)
            + again.held(try TopicName("orders.rejected"), partition: 1, from: 0, limit: 10)
        await again.close()
        #expect(scored == asked)
        #expect(Set(scored.values).count > 5, "different orders have different risks")
        #expect(
            letters.flatMap(\.record.headers).contains {
                $0.name == "reason" && String(decoding: $0.value, as: UTF8.self) == "the event has no join key 'shop'"
            })
    }

    @Test func aScorerMustNameAModelOfTheRegistry() async throws {
        let shop = try await Workshop()
        let wrong = Self.definition.split(separator: "models:/order-failure/Production").joined(separator: "x.onnx")
        let answer = try await shop.send(
            .post, "/plan", shop.directory(Blueprint.files(with: ["streams/risks.yaml": wrong])))
        #expect(answer.status == 400 || answer.status == 422 || answer.status == 409)
        #expect(answer.text.contains("models:/NAME/VERSION"), "\(answer.text)")
        await shop.works.close()
    }

    @Test func wrongUseIsToldFromWorkThatFailed() async throws {
        let folder = try TemporaryFolder()
        let store = ["--streams", "log:\(folder("streams"))"]
        let wrong: [[String]] = [
            ["score"], ["score", "--from", "a", "--to", "b"] + store, ["polish"], ["publish", "a"] + store,
            ["score", "--from", "a", "--to", "b", "--model", "m.onnx"], ["read"] + store,
        ]
        for words in wrong {
            let told = try await Program.run(["stream"] + words, folder: folder.path)
            #expect(told.code == 2, "\(words): \(told.all)")
        }
        let failing: [([String], String)] = [
            (["score", "--from", "a", "--to", "b", "--model", folder("m.onnx")], "m.onnx"),
            (["score", folder("s.yaml")], "s.yaml"), (["read", "nothing"], "nothing"),
        ]
        for (words, name) in failing {
            let told = try await Program.run(["stream"] + words + store + ["--json"], folder: folder.path)
            #expect(told.code == 1, "\(words): \(told.all)")
            #expect(told.json["error"]?.string?.contains(name) == true, "\(told.all)")
        }
    }

    private func open(_ shop: Workshop) async throws -> any EventStreams {
        try await Streams.open(
            try StoreURL("log:\(shop.folder.path)/root/streams", secrets: SecretSource(environment: [:])),
            time: SystemTime(), logger: .silent, metrics: MetricsRegistry())
    }
}
