import Basics
import HTTP
import Inference
import Testing
import Workshop

@Suite(.serialized) struct AnswerTests {
    private func scores(_ answer: Workshop.Answer) -> [Double] {
        (answer.json["outputs"]?.array?.first?["data"]?.array ?? []).compactMap(\.double)
    }

    @Test func healthAndMetadataAreThoseOfTheProtocol() async throws {
        try await Requests.served { client, _ in
            #expect(try await client.read("/v2/health/live").json == ["live": true])
            #expect(try await client.read("/v2/health/ready").json == ["ready": true])
            let server = try await client.read("/v2").json
            #expect(server["name"] == "modelworks")
            #expect(server["extensions"]?.array?.contains("binary_tensor_data") == true)
            #expect(try await client.read("/v2/models/orders/ready").json == ["name": "orders", "ready": true])
            #expect(
                try await client.read("/v2/models/orders").json == [
                    "name": "orders", "versions": ["1"], "platform": "modelworks",
                    "inputs": [
                        ["name": "shop", "datatype": "BYTES", "shape": [-1]],
                        ["name": "size", "datatype": "FP64", "shape": [-1]],
                        ["name": "event_time", "datatype": "INT64", "shape": [-1]],
                    ], "outputs": [["name": "score", "datatype": "FP64", "shape": [-1]]],
                ])
        }
    }

    @Test func oneRowIsAnsweredInTheProtocolsShape() async throws {
        try await Requests.served { client, _ in
            let answer = try await client.infer(
                "orders", Requests.body(Requests.shop, Requests.size, Requests.time, id: #""a \"b\" \u00e9""#))
            #expect(answer.status == 200)
            let score = try #require(scores(answer).first)
            #expect(score > 0 && score < 1)
            #expect(
                answer.json == [
                    "model_name": "orders", "model_version": "1", "id": "a \"b\" é", "parameters": ["arm": "stable"],
                    "outputs": [["name": "score", "datatype": "FP64", "shape": [1], "data": [.number(score)]]],
                ])
            let unnamed = try await client.infer("orders", Requests.body(Requests.shop, Requests.size, Requests.time))
            #expect(unnamed.json["id"] == nil)
            #expect(scores(unnamed) == [score])
        }
    }

    @Test func everyWayToSayTheSameGivesTheSameScore() async throws {
        try await Requests.served { client, shop in
            let plain = try await client.infer("orders", Requests.body(Requests.shop, Requests.size, Requests.time))
            let expected = scores(plain)
            #expect(expected.count == 1)
            // 2024-01-15T00:00:00Z in microseconds.
            let times = [
                Requests.input("event_time", "INT64", "[1705276800000000]"),
                Requests.input("event_time", "BYTES", #"["2024-01-15"]"#),
                Requests.input("event_time", "BYTES", #"["2024-01-15T01:00:00+01:00"]"#),
                Requests.input("event_time", "BYTES", #"["2024-01-14 19:00:00.000000-0500"]"#),
            ]
            for time in times {
                let answer = try await client.infer("orders", Requests.body(Requests.shop, Requests.size, time))
                #expect(scores(answer) == expected, "\(time)")
            }
            // Left out, it is the factory's present moment.
            let now = try await client.infer("orders", Requests.body(Requests.shop, Requests.size))
            #expect(scores(now) == expected)
            for size in [
                Requests.input("size", "FP32", "[0.5]"), Requests.input("size", "FP16", "[0.5]"),
                Requests.input("size", "FP64", "[[0.5]]", shape: "[1,1]"), Requests.input("size", "FP64", "[5e-1]"),
            ] {
                let answer = try await client.infer("orders", Requests.body(size, Requests.time, Requests.shop))
                #expect(scores(answer) == expected, "\(size)")
            }
            let model = try await shop.model(of: 1)
            for (size, value) in [
                (Requests.input("size", "INT64", "[1]"), 1.0), (Requests.input("size", "UINT8", "[1]"), 1),
                (Requests.input("size", "BOOL", "[true]"), 1), (Requests.input("size", "BOOL", "[false]"), 0),
                (Requests.input("size", "FP64", "[null]"), .nan), (Requests.input("size", "FP64", "[-1e308]"), -1e308),
            ] {
                // For a shop that is unknown only the request's own feature counts.
                let answer = try await client.infer(
                    "orders", Requests.body(Requests.input("shop", "BYTES", #"["nowhere"]"#), size, Requests.time))
                #expect(scores(answer) == (try model.predict(row: [value, .nan, .nan])), "\(size)")
            }
        }
    }

    @Test func severalRowsAreAnsweredInTheirOrder() async throws {
        try await Requests.served { client, shop in
            var alone: [Double] = []
            let shops = Rows.shops
            for (index, name) in shops.enumerated() {
                let answer = try await client.infer(
                    "orders",
                    Requests.body(
                        Requests.input("shop", "BYTES", "[\(try JSON.string(name))]"),
                        Requests.input("size", "FP64", "[0.\(index)]"), Requests.time))
                alone += scores(answer)
            }
            let times = shops.indices.map { _ in "1705276800000000" }.joined(separator: ",")
            let together = try await client.infer(
                "orders",
                Requests.body(
                    Requests.input("shop", "BYTES", try JSON.string(shops), shape: "[5]"),
                    Requests.input("size", "FP64", "[[0.0],[0.1],[0.2],[0.3],[0.4]]", shape: "[5,1]"),
                    Requests.input("event_time", "INT64", "[\(times)]", shape: "[5]"), id: #""batch""#))
            #expect(scores(together) == alone)
            #expect(Set(alone).count > 2)
            #expect(together.json["outputs"]?.array?.first?["shape"] == [5])
            #expect(together.json["id"] == "batch")
            #expect(together.json["parameters"] == nil)

            // A label names one of them by its number.
            let accepted = try await shop.post(
                "/endpoints/orders/labels",
                ["labels": [["id": "batch/3", "value": 1, "time": "2024-01-15T02:00:00Z"]]])
            #expect(accepted == ["accepted": 1])
        }
    }

    @Test func stagesAreMeasured() async throws {
        try await Requests.served { client, _ in
            for _ in 0..<3 { _ = try await client.infer("orders", Requests.body(Requests.shop, Requests.size)) }
            let text = try await client.read("/metrics").text
            for stage in ["ingest", "preprocess", "inference", "serialise", "total"] {
                let labels = "arm=\"stable\",model=\"orders\",stage=\"\(stage)\",version=\"1\""
                #expect(text.contains("modelworks_inference_stage_seconds_count{\(labels)} 3"), "\(text)")
            }
        }
    }
}
