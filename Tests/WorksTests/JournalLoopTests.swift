import Basics
import HTTP
import Testing
import Works
import Workshop

@Suite(.serialized) struct JournalLoopTests {
    /// Every call that changes something, and the entries it must leave.
    private static let writes: [(path: String, body: JSONValue, entries: [String])] = [
        ("/data/ingest", [:], ["dataset.published", "dataset.published"]),
        ("/data/ingest", [:], []),
        ("/features/build", [:], ["features.computed"]),
        ("/features/build", [:], []),
        ("/train/failures", ["register": false], ["experiment.created", "run.started", "run.ended"]),
        ("/train/failures", [:], ["run.started", "run.ended", "model.registered"]),
        ("/train/failures", ["to": "2024-01-14T00:00:00Z"], ["run.started", "run.ended", "model.registered"]),
        ("/models/order-failure/versions/1/stage", ["stage": "Staging"], ["model.stage"]),
        ("/models/order-failure/versions/1/stage", ["stage": "Production"], ["model.stage"]),
        ("/models/order-failure/versions/1/stage", ["stage": "Production"], []),
        ("/models/order-failure/versions/2/stage", ["stage": "Production"], ["model.stage", "model.stage"]),
        ("/endpoints/orders/deploy", ["version": "order-failure/1"], ["endpoint.deployed"]),
        ("/endpoints/orders/deploy", ["version": "order-failure/2"], ["endpoint.deployed"]),
        ("/endpoints/orders/rollback", [:], ["endpoint.rolled_back"]),
        ("/endpoints/orders/deploy", ["version": "order-failure/2", "canary": true], ["rollout.started"]),
        ("/endpoints/orders/rollback", [:], ["endpoint.rolled_back"]),
    ]

    @Test func everyChangeLeavesItsEntryAndTheChainHolds() async throws {
        let shop = try await Workshop()
        try Rows().write(to: shop.folder)
        try await shop.post("/apply", shop.directory(Blueprint.files))
        var seen = try await shop.journal().count
        #expect(seen == 1)
        for write in Self.writes {
            try await shop.post(write.path, write.body)
            let entries = try await shop.journal().dropFirst(seen)
            seen += entries.count
            #expect(entries.map { $0["type"]?.string } == write.entries, "\(write.path) \(write.body)")
            #expect(entries.allSatisfy { $0["principal"] == "user:test" }, "\(write.path)")
        }
        let all = try await shop.journal()
        #expect(all.map { $0["sequence"]?.integer } == (1...Int64(seen)).map { $0 })
        let verified = try await shop.get("/journal/verify").json
        #expect(verified["entries"] == .integer(Int64(seen)) && verified["intact"] == true)
        #expect(verified["unanchored"] == .integer(Int64(seen)))
        let hashes = Set(all.compactMap { $0["hash"]?.string })
        #expect(hashes.count == seen)
    }

    @Test func whatIsRefusedLeavesNoEntry() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.post("/train/failures")
        let before = try await shop.journal().count
        let refused: [(path: String, body: JSONValue, status: Int)] = [
            ("/data/ingest", ["tables": ["nothing"]], 404),
            ("/train/nothing", [:], 404),
            ("/models/order-failure/versions/9/stage", ["stage": "Production"], 404),
            ("/models/order-failure/versions/1/stage", ["stage": "Prod"], 400),
            ("/models/order-failure/versions/1/stage", ["stage": "None"], 200),
            ("/endpoints/orders/deploy", ["version": "order-failure/9"], 404),
            ("/endpoints/orders/deploy", ["version": "order-failure"], 400),
            ("/endpoints/orders/deploy", ["version": "order-failure/1", "canary": true], 503),
            ("/endpoints/nothing/deploy", ["version": "order-failure/1"], 404),
            ("/endpoints/orders/rollback", [:], 412),
            ("/models/order-failure/versions", ["bundle": "sha256:00", "reason": "x"], 400),
            (
                "/models/order-failure/versions",
                ["bundle": .string(Digest(of: "nothing").description), "reason": "x"], 404
            ),
            ("/endpoints/orders/labels", ["labels": [["id": "", "value": 1, "time": "2024-01-01T00:00:00Z"]]], 400),
            ("/clock", ["now": "yesterday"], 400),
        ]
        for call in refused {
            let answer = try await shop.send(.post, call.path, call.body)
            #expect(answer.status == call.status, "\(call.path) \(call.body): \(answer.text)")
        }
        #expect(try await shop.journal().count == before)
    }

    @Test func aVersionWithoutItsRecordNeedsAReasonToReachProduction() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.post("/train/failures")
        let bundle = try await shop.bundle(of: 1)
        #expect(try await shop.register(bundle.files, like: bundle.manifest, reason: "by hand") == "order-failure/2")
        let path = "/models/order-failure/versions/2/stage"
        let refused = try await shop.send(.post, path, ["stage": "Production"])
        #expect(refused.status == 412)
        let text = refused.json["error"]?.string ?? ""
        #expect(
            text.hasPrefix(
                """
                order-failure/2 can not go to Production: what is not known of it is its run, the commit of its code, the \
                dataset versions it learnt from, its hyperparameters, its metrics, its environment. Register a version with it:
                """), "\(text)")
        try await shop.post(path, ["stage": "Production", "override": "the other one is broken"])
        #expect(try await shop.journal(type: "model.stage").last?["body"]?["override"] == "the other one is broken")
    }
}
