import Basics
import Features
import HTTP
import TestSupport
import Testing
import Workshop

/// What was logged online is joined again offline, by the routes and by the command.
@Suite(.serialized) struct SkewTests {
    /// Orders placed after the model was trained.
    private let later = Array(Rows().orders.filter { $0.placed >= Blueprint.trainedTo }.prefix(60))

    @Sendable private func ask(_ orders: some Sequence<Rows.Order>, _ shop: Workshop, _ client: HTTPClient) async throws
    {
        for order in orders {
            try await shop.advance(to: order.placed)
            let answer = try await client.infer(Blueprint.endpoint, try Blueprint.request(order))
            guard answer.status == 200 else { throw Workshop.Surprise(description: answer.text) }
        }
    }

    @Sendable private func skew(_ shop: Workshop, _ words: String...) async throws -> Program.Outcome {
        try await Program.run(
            ["features", "skew", "--endpoint", Blueprint.endpoint, "--root", shop.folder("root")] + words,
            folder: shop.folder.path)
    }

    @Test(.timeLimit(.minutes(3))) func aReplayFindsWhatWasPlantedAndNothingElse() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.trainAndDeploy()
        let (first, second) = (later.prefix(40), later.dropFirst(40))
        let planted = try #require(second.first)
        try await shop.serving { client in
            try await ask(first, shop, client)
            let honest = try await shop.post("/endpoints/orders/skew").decoded(SkewReport.self)
            #expect(honest.logged == 40 && honest.compared == 40 && honest.differences == 0)
            #expect(honest.features.map(\.name) == ["size", "shop_load__load", "shop_load__load_mean_6h"])
            #expect(honest.features.allSatisfy { $0.compared == 40 && $0.different == 0 && $0.examples.isEmpty })
            let outcome = try await skew(shop)
            #expect(outcome.code == 0, "\(outcome.all)")
            #expect(outcome.output.contains("Compared 40 of 40 logged predictions: no value differs."))

            // Somebody writes another row where the shop's is.
            try await shop.advance(to: planted.placed)
            try await shop.post(
                "/features/push",
                [
                    "to": "shop_load", "store": "online",
                    "rows": [
                        "shop": [.string(planted.shop)],
                        "published_at": [.string(planted.placed.floored(toSeconds: 900).description)],
                        "load": [99], "load_mean_6h": [0.5],
                    ],
                ])
            try await ask(second, shop, client)
            // A size that the population does not have, and an id that it does not know.
            var resized = planted
            resized.size = 7
            var strange = planted
            strange.id = "nobody"
            for order in [resized, strange] {
                _ = try await client.infer(Blueprint.endpoint, try Blueprint.request(order))
            }
            let offline = try await Offline.trainingSet(
                in: shop.folder, from: planted.placed, to: planted.placed.advanced(bySeconds: 1))
            let report = try await shop.post("/endpoints/orders/skew").decoded(SkewReport.self)
            #expect(report.logged == 62 && report.compared == 61 && report.notInPopulation == 1)
            let load = try #require(report.features.first { $0.name == "shop_load__load" })
            let truth = try #require(offline.columns.dropFirst().first?.first)
            #expect(
                load.examples.first
                    == SkewReport.Example(
                        id: planted.id, time: planted.placed, online: 99, offline: truth.isNaN ? nil : truth))
            #expect(load.examples.allSatisfy { $0.online == 99 })
            #expect((1...21).contains(load.different))
            let size = try #require(report.features.first { $0.name == "size" })
            #expect(size.different == 1)
            #expect(
                size.examples == [
                    SkewReport.Example(id: planted.id, time: planted.placed, online: 7, offline: planted.size)
                ])
            #expect(report.differences == report.features.reduce(0) { $0 + $1.different })

            // What lies before it is as it was.
            let before = try await shop.post("/endpoints/orders/skew", ["to": .string(planted.placed.description)])
            #expect(try before.decoded(SkewReport.self).compared == 40)
            #expect(before["differences"] == 0)
        }
    }

    @Test(.timeLimit(.minutes(3))) func theCommandEndsWithOneWhereValuesDiffer() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.trainAndDeploy()
        let orders = later.prefix(5)
        try await shop.serving { client in
            let nothing = try await skew(shop)
            #expect(nothing.code == 1 && nothing.output.contains("none could be compared"), "\(nothing.all)")
            try await ask(orders, shop, client)
            var resized = try #require(orders.last)
            resized.size = 7
            _ = try await client.infer(Blueprint.endpoint, try Blueprint.request(resized))
            let outcome = try await skew(shop, "--json")
            #expect(outcome.code == 1, "\(outcome.all)")
            #expect(outcome.json["differences"] == 1 && outcome.json["compared"] == 6)
            let text = try await skew(shop)
            #expect(
                text.output.contains("size of \(resized.id) at \(resized.placed): online 7.0, offline "), "\(text.all)")
            let unknown = try await Program.run(
                ["features", "skew", "--endpoint", "nowhere", "--root", shop.folder("root")], folder: shop.folder.path)
            #expect(unknown.code == 1 && unknown.all.contains("nowhere"))
            let without = try await Program.run(
                ["features", "skew", "--root", shop.folder("root")], folder: shop.folder.path)
            #expect(without.code == 2)
        }
    }
}

extension JSONValue {
    fileprivate func decoded<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSON.decode(type, from: try JSON.canonical(self))
    }
}
