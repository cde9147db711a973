import Basics
import Foundation
import HTTP
import Inference
import ObjectStorage
import Serving
import TestSupport
import Testing
import Workshop

@testable import modelworks

/// Who answers on an endpoint besides a stable version and a canary: the switch, the shadow, and the key that decides.
@Suite(.serialized) struct TrafficTests {
    private let later = Rows().orders.filter { $0.placed >= Blueprint.trainedTo }

    private func ask(_ orders: some Sequence<Rows.Order>, _ client: HTTPClient) async throws -> [Scored] {
        var answers: [Scored] = []
        for order in orders {
            answers.append(try Scored(try await client.infer(Blueprint.endpoint, try Blueprint.request(order))))
        }
        return answers
    }

    @Test("the switch answers every request at once, keeps who else is there, and is released")
    func override() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.trainAndDeploy()
        try await shop.post("/train/failures", ["to": "2024-01-14T00:00:00Z"])
        try await shop.post("/endpoints/orders/deploy", ["version": "order-failure/2", "canary": true])
        try await shop.serving { client in
            func say(_ words: String..., code: Int32 = 0) async throws -> String {
                let told = try await Program.run(
                    words + ["--url", "http://\(try shop.address())"], ["USER": "ann"], folder: shop.folder.path)
                #expect(told.code == code, "\(words): \(told.all)")
                return told.all
            }
            _ = try await say("traffic", "override", "orders", "--constant", "0.25", "--reason", "scores are off")
            for answer in try await ask(later.prefix(20), client) {
                #expect(answer.score == 0.25 && answer.arm == "override" && answer.version == "0")
            }
            _ = try await say("traffic", "override", "orders", "--version", "order-failure/1")
            for answer in try await ask(later[20..<40], client) {
                #expect(answer.version == "1" && answer.arm == "override")
            }
            #expect(try await say("traffic", "show", "orders").contains("override  order-failure/1"))
            _ = try await say("traffic", "override", "orders", code: 1)
            _ = try await say("traffic", "override", "orders", "--constant", "much", code: 2)
            _ = try await say("traffic", "release", "orders")
            #expect(Set(try await ask(later[40..<80], client).map(\.arm)) == ["stable", "canary"])
            let types = try await shop.journal().compactMap { $0["type"]?.string }
            #expect(types.count { $0 == "endpoint.overridden" } == 2 && types.count { $0 == "endpoint.released" } == 1)
            #expect(try await shop.journal(type: "endpoint.overridden").first?["principal"] == "user:ann")

            // The candidate is made stable by hand, and the way back is tried.
            #expect(try await say("promote", "orders").contains("order-failure/2 answers on orders"))
            #expect(try await say("promote", "orders", code: 1).contains("no rollout is under way"))
            #expect(try await shop.get("/models/order-failure/versions/2").json["stage"] == "Production")
            #expect(try await say("drill", "rollback", "orders").contains("Passed: orders went from order-failure/2"))
            #expect(try await ask(later[80..<81], client).first?.version == "2")
        }
    }

    @Test("a shadow is asked beside, and what it says otherwise is kept; the answers stay the same")
    func shadow() async throws {
        let folder = try TemporaryFolder()
        let disagreements = try await mirror(in: folder)
        var kept: [PredictionRecord] = []
        _ = try RecordLog(folder: "\(folder.path)/root/records/shadows/orders").forEach(from: .start) { logged in
            if let record = PredictionRecord(logged.bytes) { kept.append(record) }
        }
        #expect(kept.count >= disagreements)
        #expect(kept.allSatisfy { $0.arm == .shadow && $0.version == 2 })
        let ids = Set(later.prefix(300).map(\.id))
        #expect(kept.allSatisfy { ids.contains($0.id) })
        #expect(Set(kept.prefix(disagreements).map(\.id)).count == disagreements)
    }

    /// - Returns: in how many of the first hundred requests the shadow said something else.
    private func mirror(in folder: TemporaryFolder) async throws -> Int {
        let shop = try await Workshop(in: folder)
        try await shop.apply()
        try await shop.trainAndDeploy()
        let champion = try await shop.bundle(of: 1)
        var files = champion.files
        files[LightGBMRuntime.modelPath] = try BrokenModel.spoil(
            files[LightGBMRuntime.modelPath] ?? [],
            keeping: champion.manifest.sample.inputs.first?.map { $0 ?? .nan } ?? [])
        let broken = try await shop.register(files, like: champion.manifest, reason: "a trial")
        return try await shop.serving { client in
            let alone = try await ask(later.prefix(100), client)
            try await shop.post("/endpoints/orders/shadow", ["version": .string(broken)])
            let beside = try await ask(later.prefix(100), client)
            #expect(beside == alone)
            try await Deadline(seconds: 20).wait("the shadow has caught up") {
                try await shop.get("/endpoints/orders").json["shadow"]?["asked"] == 100
            }
            let shadow = try #require(try await shop.get("/endpoints/orders").json["shadow"])
            let failures = try #require(shadow["failures"]?.integer)
            let disagreements = Int(try #require(shadow["disagreements"]?.integer))
            #expect(shadow["dropped"] == 0 && failures > 0 && disagreements >= Int(failures))
            try await shop.post("/endpoints/orders/shadow", ["version": .string(broken), "share": 0.3])
            _ = try await ask(later.prefix(300), client)
            try await Deadline(seconds: 20).wait("a part of the requests is mirrored") {
                let asked = try await shop.get("/endpoints/orders").json["shadow"]?["asked"]?.integer ?? 0
                // Three standard deviations of a binomial of 300 at 0.3, on top of the hundred before.
                return asked - 100 >= 66 && asked - 100 <= 114
            }
            #expect(
                try await shop.send(.post, "/endpoints/orders/shadow", ["version": .string(broken), "share": 2]).status
                    == 400)
            try await shop.post("/endpoints/orders/shadow", [:])
            #expect(try await shop.get("/endpoints/orders").json["shadow"] == nil)
            return disagreements
        }
    }

    @Test("with split_by all requests of a key go to one arm")
    func sticky() async throws {
        let shop = try await Workshop()
        try await shop.apply(
            Blueprint.files(
                replacing: "service: orders\n", with: "service: orders\nsplit_by: shop\n", in: "serving/orders.yaml"))
        let wrong = Blueprint.files(
            replacing: "service: orders\n", with: "service: orders\nsplit_by: colour\n", in: "serving/orders.yaml")
        let refused = try await shop.send(.post, "/apply", shop.directory(wrong))
        #expect(
            refused.status == 400 && refused.text.contains("splits by 'colour'"), "\(refused.status) \(refused.text)")
        try await shop.trainAndDeploy()
        try await shop.post("/train/failures", ["to": "2024-01-14T00:00:00Z"])
        try await shop.post("/endpoints/orders/deploy", ["version": "order-failure/2", "canary": true])
        try await shop.serving { client in
            var arms: [String: Set<String>] = [:]
            for order in later.prefix(200) {
                let answers = try await ask([order], client)
                arms[order.shop, default: []].formUnion(answers.map(\.arm))
            }
            #expect(arms.values.allSatisfy { $0.count == 1 })
            #expect(Set(arms.values.flatMap(\.self)) == ["stable", "canary"])
        }
    }

    @Test("a split keeps each key with one arm, records who was exposed, and learns from the labels")
    func split() async throws {
        let folder = try TemporaryFolder()
        let given = try await splitTraffic(in: folder)
        var kept: [String: ExposureRecord] = [:]
        _ = try RecordLog(folder: "\(folder.path)/root/records/exposures/orders").forEach(from: .start) { logged in
            if let record = ExposureRecord(logged.bytes) { kept[record.id] = record }
        }
        #expect(kept.count == given.count)
        for (id, answer) in given {
            let exposure = try #require(kept[id])
            #expect("\(exposure.version)" == answer.version)
            #expect(exposure.arm == (answer.arm == "challenger" ? 1 : 0))
            #expect(exposure.propensity == (exposure.arm == 1 ? 0.4 : 0.6))
        }
    }

    /// - Returns: by prediction, who answered.
    private func splitTraffic(in folder: TemporaryFolder) async throws -> [String: Scored] {
        let shop = try await Workshop(in: folder)
        try await shop.apply()
        try await shop.trainAndDeploy()
        try await shop.post("/train/failures", ["to": "2024-01-14T00:00:00Z"])
        return try await shop.serving { client in
            func say(_ words: String..., code: Int32 = 0) async throws -> String {
                let told = try await Program.run(
                    words + ["--url", "http://\(try shop.address())"], ["USER": "ann"], folder: shop.folder.path)
                #expect(told.code == code, "\(words): \(told.all)")
                return told.all
            }
            let arms = "order-failure/1=60%,order-failure/2=40%"
            #expect(try await say("traffic", "split", "orders", code: 1).contains("is not split"))
            _ = try await say(
                "traffic", "split", "orders", "--arms", "order-failure/2=60%,order-failure/1=40%", code: 1)
            _ = try await say(
                "traffic", "split", "orders", "--arms", "order-failure/1=60%,order-failure/2=60%", code: 1)
            _ = try await say("traffic", "split", "orders", "--arms", arms)
            let refused = try await shop.send(
                .post, "/endpoints/orders/deploy", ["version": "order-failure/2", "canary": true])
            #expect(refused.status == 412 && refused.text.contains("is split"))

            let orders = Array(later.prefix(400))
            let answers = try await ask(orders, client)
            let challengers = answers.count { $0.arm == "challenger" }
            // Four standard deviations of a binomial of 400 at 0.4.
            #expect(challengers >= 160 - 40 && challengers <= 160 + 40)
            #expect(
                answers.allSatisfy {
                    $0.arm == "challenger" ? $0.version == "2" : $0.arm == "stable" && $0.version == "1"
                })
            #expect(try await ask(orders.prefix(50), client) == Array(answers.prefix(50)))

            // The challenger's labels are all higher: with so many the difference is beyond doubt.
            try await shop.post(
                "/endpoints/orders/labels",
                [
                    "labels": .array(
                        try zip(orders, answers).map { order, answer in
                            try JSON.value(
                                LabelRecord(
                                    id: order.id, value: answer.arm == "challenger" ? 1 : 0, time: order.settled))
                        })
                ])
            let report = try await shop.get("/endpoints/orders/split").json
            #expect(
                report["arms"]?.array?.map { $0["labels"]?.integer } == [Int64(400 - challengers), Int64(challengers)])
            #expect(report["arms"]?.array?.map { $0["mean"]?.double } == [0, 1])
            try await shop.advance(to: Blueprint.trainedTo.advanced(bySeconds: 3600))
            let entries = try await shop.journal(type: "endpoint.split_decided")
            #expect(entries.count == 1 && entries.first?["principal"] == "system:split")
            #expect(
                try await say("traffic", "split", "orders").contains("order-failure/2 is better than order-failure/1"))
            _ = try await say("traffic", "split", "orders", "--off")
            #expect(Set(try await ask(later[400..<440], client).map(\.arm)) == ["stable"])

            // A bandit moves the shares by itself.
            _ = try await say("traffic", "split", "orders", "--arms", arms, "--policy", "thompson", "--floor", "20%")
            let more = Array(later[440..<540])
            let next = try await ask(more, client)
            try await shop.post(
                "/endpoints/orders/labels",
                [
                    "labels": .array(
                        try zip(more, next).map { order, answer in
                            try JSON.value(
                                LabelRecord(
                                    id: order.id, value: answer.arm == "challenger" ? 1 : 0, time: order.settled))
                        })
                ])
            try await shop.advance(to: Blueprint.trainedTo.advanced(bySeconds: 7200))
            let moved = try await shop.get("/endpoints/orders").json["traffic"]?["split"]?["arms"]?.array ?? []
            #expect(moved.map { ($0["share"]?.double ?? 0).rounded(toPlaces: 6) } == [0.2, 0.8])
            #expect(try await shop.journal(type: "endpoint.shares_moved").count == 1)
            _ = try await say("traffic", "split", "orders", "--off")
            return Dictionary(
                zip(orders.map(\.id) + later[440..<540].map(\.id), answers + next),
                uniquingKeysWith: { first, _ in first })
        }
    }
}

extension Double {
    fileprivate func rounded(toPlaces places: Int) -> Double {
        let scale = pow(10, Double(places))
        return (self * scale).rounded() / scale
    }
}
