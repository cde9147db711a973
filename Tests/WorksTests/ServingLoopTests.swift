import Basics
import Features
import HTTP
import Inference
import ObjectStorage
import Registry
import Serving
import TestSupport
import Testing
import Works
import Workshop

@testable import modelworks

/// A score and who gave it, as an Open Inference answer tells them.
struct Scored: Sendable, Equatable {
    let score: Double
    let version: String
    let arm: String

    init(_ answer: Workshop.Answer) throws {
        let json = answer.json
        guard answer.status == 200, let score = json["outputs"]?.array?.first?["data"]?.array?.first?.double,
            let version = json["model_version"]?.string, let arm = json["parameters"]?["arm"]?.string
        else { throw Workshop.Surprise(description: "\(answer.status) \(answer.text)") }
        self.score = score
        self.version = version
        self.arm = arm
    }
}

@Suite(.serialized) struct ServingLoopTests {
    /// Orders placed after the model was trained.
    private let later = Rows().orders.filter { $0.placed >= Blueprint.trainedTo }

    /// Asks about orders in their order, the clock going along.
    @Sendable private func ask(_ orders: [Rows.Order], _ shop: Workshop, _ client: HTTPClient) async throws -> [Scored]
    {
        var answers: [Scored] = []
        for order in orders {
            try await shop.advance(to: order.placed)
            answers.append(try Scored(try await client.infer(Blueprint.endpoint, try Blueprint.request(order))))
        }
        return answers
    }

    @Test func onlineEqualsOfflineBitForBit() async throws {
        let folder = try TemporaryFolder()
        #expect(later.count > 400)
        let (scores, model) = try await serveOnce(in: folder)
        let offline = try await Offline.trainingSet(in: folder, from: Blueprint.trainedTo, to: Blueprint.end)
        try #require(offline.ids == later.map(\.id))
        var records: [PredictionRecord] = []
        _ = try RecordLog(folder: "\(folder.path)/root/records/predictions/orders").forEach(from: .start) { logged in
            if let record = PredictionRecord(logged.bytes) { records.append(record) }
        }
        try #require(records.map(\.id) == later.map(\.id))
        var missing = 0
        for (row, record) in records.enumerated() {
            let features = offline.columns.map { $0[row] }
            missing += features.count { $0.isNaN }
            // NaN has many patterns; a number has one.
            try #require(
                record.features.map { $0.isNaN ? 0 : $0.bitPattern } == features.map { $0.isNaN ? 0 : $0.bitPattern })
            try #require(record.features.map(\.isNaN) == features.map(\.isNaN))
            try #require(record.eventTime == offline.times[row])
            let expected = try model.predict(row: features)
            try #require(scores[row].score.bitPattern == expected.first?.bitPattern)
            try #require(record.output.bitPattern == expected.first?.bitPattern)
        }
        // A shop that was not measured for half a day has outlived its ttl: the comparison covers nulls too.
        #expect(missing > 20 && missing < records.count)
        #expect(Set(scores.map(\.score)).count > 100)
    }

    private func serveOnce(in folder: TemporaryFolder) async throws -> ([Scored], LightGBMModel) {
        let shop = try await Workshop(in: folder)
        try await shop.apply()
        try await shop.trainAndDeploy()
        let model = try await shop.model(of: 1)
        return (try await shop.serving { client in try await ask(later, shop, client) }, model)
    }

    /// Registers a version that fails for some rows, and starts rolling it out.
    private func deployBroken(_ shop: Workshop) async throws {
        let champion = try await shop.bundle(of: 1)
        let sample = champion.manifest.sample.inputs.map { row in row.map { $0 ?? .nan } }
        var files = champion.files
        files[LightGBMRuntime.modelPath] = try BrokenModel.spoil(
            files[LightGBMRuntime.modelPath] ?? [], keeping: sample.first ?? [])
        let broken = try await shop.register(files, like: champion.manifest, reason: "a drill")
        #expect(broken == "order-failure/2")
        try await shop.post("/endpoints/orders/deploy", ["version": .string(broken), "canary": true])
    }

    @Test func aBrokenCanaryIsRolledBackAndNobodyNotices() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.trainAndDeploy()
        try await deployBroken(shop)
        try await shop.serving { client in
            var answers: [Scored] = []
            for order in later {
                answers.append(try Scored(try await client.infer(Blueprint.endpoint, try Blueprint.request(order))))
            }
            // The entry is written a moment after the traffic was taken away.
            try await Deadline(seconds: 20).wait("the roll-back is journaled") {
                try await !shop.journal(type: "endpoint.rolled_back").isEmpty
            }
            try await shop.advance(to: Blueprint.trainedTo.advanced(bySeconds: 3600))

            #expect(answers.count == later.count)
            let last = answers.lastIndex { $0.arm == "canary" } ?? -1
            #expect(last < 100)
            for answer in answers[(last + 1)...] { #expect(answer.arm == "stable" && answer.version == "1") }
            // What the broken version says is no probability, so none of it stands in an answer of the stable arm.
            for answer in answers where answer.arm == "stable" {
                #expect(answer.version == "1" && answer.score > 0 && answer.score < 1)
            }

            let status = try await shop.get("/endpoints/orders").json
            #expect(status["traffic"]?["canary"] == nil)
            #expect(status["traffic"]?["stable"] == ["model": "order-failure", "version": 1])
            let entry = try #require(try await shop.journal(type: "endpoint.rolled_back").first)
            #expect(entry["principal"] == "system:guard")
            #expect(entry["subject"] == "endpoint/orders")
            #expect(entry["body"]?["canary"] == "order-failure/2")
            let failures = try #require(entry["body"]?["failures"]?.integer)
            let asked = try #require(entry["body"]?["answers"]?.integer)
            #expect(failures == 3 && asked >= failures)
            let seconds = try #require(entry["body"]?["seconds"]?.double)
            #expect(seconds >= 0 && seconds < 10)

            let rollout = try #require(try await shop.get("/rollouts").json.array?.first)
            #expect(rollout["state"] == "rolledBack")
            #expect(try await shop.get("/models/order-failure/versions/2").json["stage"] == "Archived")
            #expect(try await shop.get("/models/order-failure/versions/1").json["stage"] == "Production")
        }
    }

    @Test func aGoodCanaryTakesOverStepByStep() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.trainAndDeploy()
        let second = try await shop.post("/train/failures", ["to": "2024-01-14T00:00:00Z"])
        #expect(second["version"]?["id"]?["version"] == 2)
        let start = try await shop.post("/endpoints/orders/deploy", ["version": "order-failure/2", "canary": true])
        #expect(start["state"] == "progressing")
        let again = try await shop.send(
            .post, "/endpoints/orders/deploy", ["version": "order-failure/2", "canary": true])
        #expect(again.status == 412)
        try await shop.serving { client in
            let answers = try await ask(Array(later.prefix(60)), shop, client)
            let canaries = answers.prefix(4).count { $0.arm == "canary" }
            #expect(canaries < 4 || answers.contains { $0.arm == "stable" })
            #expect(answers.last?.arm == "stable")
            #expect(answers.last?.version == "2")
            let rollout = try #require(try await shop.get("/rollouts").json.array?.first)
            #expect(rollout["state"] == "completed")
            #expect(rollout["steps"]?.array?.map { $0["share"]?.double } == [0.5, 1])
            #expect(rollout["steps"]?.array?.allSatisfy { $0["failures"] == 0 } == true)
            let stages = try await shop.get("/models/order-failure").json.array?.map { $0["stage"]?.string }
            #expect(stages == ["Production", "Archived"])
            for type in ["rollout.started", "rollout.advanced", "rollout.completed"] {
                #expect(try await shop.journal(type: type).count == 1, "\(type)")
            }

            // The version before can be put back, once.
            let back = try await shop.post("/endpoints/orders/rollback", ["reason": "odd scores"])
            #expect(back["stable"]?["version"] == 1)
            let entry = try #require(try await shop.journal(type: "endpoint.rolled_back").last)
            #expect(entry["principal"] == "user:test")
            #expect(entry["body"]?["reason"] == "odd scores")
            let answer = try Scored(try await client.infer("orders", try Blueprint.request(later[60])))
            #expect(answer.version == "1")
            let nothing = try await shop.send(.post, "/endpoints/orders/rollback", [:])
            #expect(nothing.status == 412)
            #expect(
                nothing.json["error"]
                    == "the endpoint 'orders' has nothing to roll back to. Deploy another version instead.")
        }
    }

    /// Consents that are asked for hold up neither a roll-back nor the others' rollouts, and who starts a rollout gives none.
    @Test func rolloutsGoOnWhereOthersMustAgree() async throws {
        let shop = try await Workshop()
        var files = Blueprint.files
        files["serving/spare.yaml"] = files["serving/orders.yaml"]?.replacing(
            "endpoint: orders", with: "endpoint: spare")
        try await shop.apply(files)
        try await shop.trainAndDeploy()
        try await shop.post("/endpoints/spare/deploy", ["version": "order-failure/1", "reason": "first"])
        for _ in 0..<2 { try await shop.post("/train/failures", ["to": "2024-01-14T00:00:00Z"]) }
        files["works.yaml"] = """
            {name: workshop, owner: test, data: data, clock: replay,
             registry: {approvals: {Production: 1, Archived: 1}}}

            """
        try await shop.post("/apply", shop.directory(files))
        for (endpoint, version) in [("orders", 2), ("spare", 3)] {
            try await shop.post(
                "/endpoints/\(endpoint)/deploy", ["version": .string("order-failure/\(version)"), "canary": true])
        }
        func deleteSecond() async throws {
            let answer = try await shop.works.dispatch(
                .delete, "/api/2.0/mlflow/model-versions/delete", headers: ["Content-Type": "application/json"],
                body: Array(#"{"name":"order-failure","version":"2"}"#.utf8))
            #expect(answer.status == 200)
        }
        // The first rollout can not be completed any more when it should be.
        try await deleteSecond()
        try await shop.serving { client in
            for order in later.prefix(60) {
                try await shop.advance(to: order.placed)
                for endpoint in ["orders", "spare"] {
                    _ = try Scored(try await client.infer(endpoint, try Blueprint.request(order)))
                }
            }
            // Begun at the same moment, they are listed in the order of their ids.
            func states() async throws -> [String] {
                let rollouts = try await shop.get("/rollouts").json.array ?? []
                return rollouts.map { "\($0["endpoint"]?.string ?? "") \($0["state"]?.string ?? "")" }.sorted()
            }
            #expect(try await states() == ["orders rolledBack", "spare progressing"])
            #expect(try await shop.get("/endpoints/orders").json["traffic"]?["canary"] == nil)
            let request = try #require(try await shop.get("/models/order-failure/requests").json.array?.first)
            #expect(request["requester"] == "user:test" && request["stage"] == "Production")
            let path = "/models/order-failure/requests/\(request["number"]?.integer ?? 0)"
            #expect(try await shop.send(.post, "\(path)/approve", [:]).status == 403)
            try await shop.post("\(path)/reject", ["reason": "changed my mind"])
            let now = later[59].placed
            try await shop.advance(to: now.advanced(bySeconds: 1))
            #expect(try await states() == ["orders rolledBack", "spare rolledBack"])
            #expect(try await shop.get("/endpoints/spare").json["traffic"]?["canary"] == nil)
            let asked = try await shop.get("/models/order-failure/requests").json.array?.last
            #expect(asked?["stage"] == "Archived" && asked?["state"] == "open")
            // What was asked for a version does not outlive that its traffic is taken away, however that happens.
            for (index, way) in ["rollback", "deploy"].enumerated() {
                try await shop.post(
                    "/endpoints/orders/deploy", ["version": "order-failure/3", "canary": true])
                let open = try await shop.post(
                    "/models/order-failure/versions/3/requests", ["stage": "Production", "reason": "good so far"])
                try await shop.post("/endpoints/orders/\(way)", ["version": "order-failure/1", "reason": "odd"])
                try await shop.advance(to: now.advanced(bySeconds: Int64(3 + index)))
                let ended = try await shop.get("/models/order-failure/requests").json.array?.first {
                    $0["number"] == open["number"]
                }
                #expect(ended?["state"] == "superseded", "\(way): \(ended ?? .null)")
                let answer = try await shop.send(
                    .post, "/models/order-failure/requests/\(open["number"]?.integer ?? 0)/approve", [:])
                #expect(answer.status == 412)
            }
        }
    }
}
