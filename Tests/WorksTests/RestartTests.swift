import Basics
import HTTP
import TestSupport
import Testing
import Works
import Workshop

@Suite(.serialized) struct RestartTests {
    private let later = Rows().orders.filter { $0.placed >= Blueprint.trainedTo.advanced(bySeconds: 21_600) }

    private struct Seen: Equatable {
        var status: JSONValue
        var traffic: JSONValue?
        var models: JSONValue
        var data: JSONValue
        var runs: JSONValue
        var journal: [JSONValue]
        var answers: [Scored]
    }

    private func look(_ shop: Workshop) async throws -> Seen {
        let orders = Array(later.prefix(5))
        return try await shop.serving { client in
            var answers: [Scored] = []
            for order in orders {
                answers.append(try Scored(try await client.infer(Blueprint.endpoint, try Blueprint.request(order))))
            }
            return Seen(
                status: try await shop.get("/status").json,
                traffic: try await shop.get("/endpoints/orders").json["traffic"],
                models: try await shop.get("/models").json, data: try await shop.get("/data").json,
                runs: try await shop.get("/runs").json, journal: try await shop.journal(), answers: answers)
        }
    }

    private func first(in folder: TemporaryFolder) async throws -> Seen {
        let shop = try await Workshop(in: folder)
        try await shop.apply()
        try await shop.trainAndDeploy()
        try await shop.post("/train/failures", ["to": "2024-01-14T00:00:00Z"])
        try await shop.post("/endpoints/orders/deploy", ["version": "order-failure/2", "reason": "second"])
        try await shop.advance(to: Blueprint.trainedTo.advanced(bySeconds: 21_600))
        return try await look(shop)
    }

    @Test func everythingIsThereAfterARestart() async throws {
        let folder = try TemporaryFolder()
        let before = try await first(in: folder)
        #expect(before.status["now"] == "2024-01-15T06:00:00Z")
        #expect(before.traffic?["stable"]?["version"] == 2)
        #expect(before.traffic?["previous"]?["version"] == 1)
        for _ in 0..<2 {
            let shop = try await Workshop(in: folder)
            #expect(try await look(shop) == before)
        }
        let shop = try await Workshop(in: folder)
        try await shop.post("/endpoints/orders/rollback")
        #expect(try await shop.get("/journal/verify").json["intact"] == true)
        let early = try await shop.send(.post, "/clock", ["now": "2024-01-15T05:59:59Z"])
        #expect(early.status == 400)
        #expect(
            early.json["error"]
                == "the clock is at 2024-01-15T06:00:00Z and can not go back to 2024-01-15T05:59:59Z. Advance to a later time."
        )
    }

    @Test func aFeatureServiceUnderTrafficCanNotBeChangedAway() async throws {
        let folder = try TemporaryFolder()
        let wider = Blueprint.files(
            with: [
                "features/orders.yaml":
                    "{kind: service, name: orders, owner: test, request: {size: double, weight: double}, views: [shop_load]}"
            ])
        try await changeUnderTraffic(wider, in: folder)
        let shop = try await Workshop(in: folder)
        #expect(try await shop.get("/status").json["revision"] == 1)
        #expect(try await shop.get("/endpoints/orders").json["traffic"]?["stable"]?["version"] == 1)
    }

    private func changeUnderTraffic(_ files: [String: String], in folder: TemporaryFolder) async throws {
        let shop = try await Workshop(in: folder)
        try await shop.apply()
        try await shop.trainAndDeploy()
        let answer = try await shop.send(.post, "/apply", shop.directory(files))
        #expect(answer.status == 412)
        #expect(answer.json["error"]?.string?.contains("order-failure/1") == true, "\(answer.text)")
        try await shop.serving { client in
            let answer = try Scored(try await client.infer(Blueprint.endpoint, try Blueprint.request(later[0])))
            #expect(answer.version == "1")
        }
    }

    @Test func anEndpointThatIsNoLongerDefinedAnswersNoMore() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.trainAndDeploy()
        try await shop.post("/apply", shop.directory(Blueprint.files(with: ["serving/orders.yaml": nil])))
        try await shop.serving { client in
            let answer = try await client.infer(Blueprint.endpoint, try Blueprint.request(later[0]))
            #expect(answer.status == 404, "\(answer.text)")
            try await shop.post("/apply", shop.directory(Blueprint.files))
            let back = try Scored(try await client.infer(Blueprint.endpoint, try Blueprint.request(later[0])))
            #expect(back.version == "1")
        }
    }
}
