import Basics
import HTTP
import Inference
import TestSupport
import Testing
import Workshop

/// Candidates that are good in traffic, and that the registry does not let into Production.
@Suite(.serialized) struct RolloutEndTests {
    private let later = Rows().orders.filter { $0.placed >= Blueprint.trainedTo }

    /// A factory that rolls out a copy of its version in Production, of which nothing is known but its files.
    private func factory() async throws -> Workshop {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.trainAndDeploy()
        let champion = try await shop.bundle(of: 1)
        let copy = try await shop.register(champion.files, like: champion.manifest)
        #expect(copy == "order-failure/2")
        try await shop.post("/endpoints/orders/deploy", ["version": .string(copy), "canary": true])
        return shop
    }

    private func ask(_ orders: some Sequence<Rows.Order>, _ shop: Workshop, _ client: HTTPClient) async throws {
        for order in orders {
            try await shop.advance(to: order.placed)
            _ = try Scored(try await client.infer(Blueprint.endpoint, try Blueprint.request(order)))
        }
    }

    @Test func theRolloutEndsOnceAndSaysWhy() async throws {
        let shop = try await factory()
        try await shop.serving { client in
            try await ask(later.prefix(60), shop, client)
            let rollout = try #require(try await shop.get("/rollouts").json.array?.first)
            #expect(rollout["state"] == "rolledBack")
            #expect(rollout["steps"]?.array?.map { $0["verdict"] } == ["good", "good"])
            let reason = try #require(rollout["reason"]?.string)
            #expect(reason.hasPrefix("order-failure/2 can not go to Production: what is not known of it is its run"))
            try await ask(later.dropFirst(60).prefix(20), shop, client)
            let entries = try await shop.journal(type: "endpoint.rolled_back")
            #expect(entries.map { $0["body"]?["reason"] } == [.string(reason)])
            #expect(entries.first?["principal"] == "system:rollout")
            let traffic = try await shop.get("/endpoints/orders").json["traffic"]
            #expect(traffic?["stable"]?["version"] == 1 && traffic?["canary"] == nil)
            let stages = try await shop.get("/models/order-failure").json.array?.map { $0["stage"]?.string }
            #expect(stages == ["Archived", "Production"])
        }
    }

    @Test func whoPromotesItByHandIsToldAndNothingChanges() async throws {
        let shop = try await factory()
        let answer = try await shop.send(.post, "/endpoints/orders/promote", [:])
        #expect(answer.status == 412)
        #expect(answer.text.contains("can not go to Production"))
        #expect(try await shop.get("/rollouts").json.array?.first?["state"] == "progressing")
        #expect(try await shop.get("/endpoints/orders").json["traffic"]?["canary"]?["version"] == 2)
    }

    @Test func allTheTrafficThatSomebodyGaveItStays() async throws {
        let shop = try await factory()
        try await shop.post("/endpoints/orders/deploy", ["version": "order-failure/2", "reason": "by hand"])
        try await shop.serving { client in
            try await ask(later.prefix(10), shop, client)
            let rollout = try #require(try await shop.get("/rollouts").json.array?.first)
            #expect(rollout["state"] == "completed")
            #expect(rollout["reason"]?.string?.contains("can not go to Production") == true)
            #expect(try await shop.get("/endpoints/orders").json["traffic"]?["stable"]?["version"] == 2)
            #expect(try await shop.journal(type: "endpoint.rolled_back").isEmpty)
        }
    }
}
