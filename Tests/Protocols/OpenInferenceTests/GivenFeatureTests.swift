import Basics
import HTTP
import Inference
import Testing
import Workshop

/// An endpoint is asked by keys, by features, or by both; expected scores are those of its model, loaded apart.
@Suite(.serialized) struct GivenFeatureTests {
    private static func score(_ answer: Workshop.Answer) throws -> Double {
        guard let score = answer.json["outputs"]?.array?.first?["data"]?.array?.first?.double else {
            throw Workshop.Surprise(description: "\(answer.status) \(answer.text)")
        }
        return score
    }

    private static func number(_ name: String, _ value: Double) -> String {
        Requests.input(name, "FP64", value.isNaN ? "[null]" : "[\(value)]")
    }

    @Test func keysFeaturesOrBoth() async throws {
        try await Requests.served { client, shop in
            let model = try await shop.model(of: 1)
            let names = try await shop.bundle(of: 1).manifest.signature.inputs.map(\.name)
            try #require(names.count == 3 && names[0] == "size")
            let (load, mean) = (names[1], names[2])
            func expected(_ row: [Double]) throws -> Double { try model.predict(row: row)[0] }
            @Sendable func ask(_ inputs: String...) async throws -> Workshop.Answer {
                try await client.infer(
                    "orders", "{\"id\":\"q\",\"inputs\":[\((inputs + [Requests.time]).joined(separator: ","))]}")
            }
            // What is looked up, as its record tells.
            let looked = try Self.score(try await ask(Requests.shop, Requests.size))
            let record = try await shop.get("/predictions/q").json.array?.first?["inputs"]?.array?.first
            let stored = (record?["data"]?.array ?? []).map { $0.double ?? .nan }
            try #require(stored.count == 3 && stored.allSatisfy { !$0.isNaN })
            #expect(try looked == expected(stored))

            // Features alone, in any order: the same score without a key.
            let alone = try await ask(
                Self.number(mean, stored[2]), Requests.size, Self.number(load, stored[1]))
            #expect(try Self.score(alone) == looked)
            // A row of the test's own, and one with a null.
            for row in [[0.5, 9, 2.25], [0.5, .nan, 1]] {
                let answer = try await ask(Requests.size, Self.number(load, row[1]), Self.number(mean, row[2]))
                #expect(try Self.score(answer) == expected(row), "\(row)")
            }
            // Both: the caller's goes before the stored one, null included, and the other is looked up.
            for value in [9, Double.nan] {
                let answer = try await ask(Requests.shop, Self.number(load, value), Requests.size)
                #expect(try Self.score(answer) == expected([stored[0], value, stored[2]]), "\(value)")
            }
            let all = try await ask(
                Requests.shop, Requests.size, Self.number(load, 9), Self.number(mean, 2.25))
            #expect(try Self.score(all) == expected([0.5, 9, 2.25]))
            // A key nobody knows has no features, but the one that is given.
            let nowhere = Requests.input("shop", "BYTES", #"["nowhere"]"#)
            #expect(try Self.score(try await ask(nowhere, Requests.size)) == expected([0.5, .nan, .nan]))
            #expect(
                try Self.score(try await ask(nowhere, Self.number(load, 9), Requests.size))
                    == expected([0.5, 9, .nan]))
            // The record has what the model was given.
            let kept = try await shop.get("/predictions/q").json.array ?? []
            let given = kept.map { $0["inputs"]?.array?.first?["data"]?.array?.prefix(2).map(\.double) }
            #expect(given.contains([0.5, 9]), "\(given)")

            // Something that has to be looked up, and nothing to look it up by; lengths and types that do not fit.
            for (inputs, told) in [
                ([Requests.size, Self.number(load, 9)], "'shop' is missing"),
                ([Self.number(load, 9), Self.number(mean, 1)], "'size' is missing"),
                ([Requests.shop, Requests.size, Requests.input(load, "BYTES", #"["9"]"#)], "where FP64 is wanted"),
                (
                    [Requests.shop, Requests.size, Requests.input(load, "FP64", "[1,2]", shape: "[2]")],
                    "has 2 values"
                ),
            ] {
                let answer = try await client.infer("orders", "{\"inputs\":[\(inputs.joined(separator: ","))]}")
                #expect(answer.status == 400 && answer.text.contains(told), "\(answer.text)")
            }
        }
    }

    @Test func tablesMayHaveFeaturesToo() async throws {
        try await Requests.served { client, shop in
            let model = try await shop.model(of: 1)
            let names = try await shop.bundle(of: 1).manifest.signature.inputs.map(\.name)
            @Sendable func ask(_ path: String, _ body: JSONValue) async throws -> [Double] {
                let response = try await client.send(
                    .post, path, headers: ["Content-Type": "application/json"], body: try JSON.canonical(body))
                let answer = Workshop.Answer(status: response.status.code, body: try await response.collect())
                guard answer.status == 200 else { throw Workshop.Surprise(description: answer.text) }
                return (answer.json["predictions"]?.array ?? []).map { $0.double ?? $0["score"]?.double ?? .nan }
            }
            let rows: [[Double]] = [[0.5, 9, 2.25], [3, .nan, 1]]
            let expected = try rows.map { try model.predict(row: $0)[0] }
            let cells = rows.map { JSONValue.array($0.map { $0.isNaN ? .null : .number($0) }) }
            let split: JSONValue = [
                "dataframe_split": [
                    "columns": .array((names + ["unknown"]).map { .string($0) }),
                    "data": .array(cells.map { .array(($0.array ?? []) + [1]) }),
                ]
            ]
            #expect(try await ask("/endpoints/orders/invocations", split) == expected)
            #expect(try await ask("/invocations", split) == expected)
            // With a key only what is missing is looked up: nothing is known of this shop.
            let both: JSONValue = [
                "dataframe_records": [["shop": "nowhere", "size": 0.5, .init(names[1]): 9]]
            ]
            #expect(try await ask("/invocations", both) == [model.predict(row: [0.5, 9, .nan])[0]])
        }
    }
}
