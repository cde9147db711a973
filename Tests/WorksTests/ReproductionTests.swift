import Basics
import HTTP
import Testing
import Works
import Workshop

/// What is recorded of a training, and doing it again.
@Suite(.serialized) struct ReproductionTests {
    private let code: JSONValue = [
        "commit": "1111111111111111111111111111111111111111", "branch": "main",
        "diff": .string("sha256:" + String(repeating: "a", count: 64)),
    ]

    private func train(_ shop: Workshop, _ body: JSONValue) async throws -> String {
        let result = try await shop.post("/train/\(Blueprint.training)", body)
        return try #require(result["candidate"]?["run"]?.string)
    }

    @Test func aRunHasEverythingThatItWasMadeFrom() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        let run = try await train(shop, ["register": false, "code": code])
        let facts = try await shop.get("/runs/\(run)/facts").json
        #expect(facts["code"]?["git.commit"] == code["commit"])
        #expect(facts["code"]?["git.branch"] == "main")
        #expect(facts["code"]?["diff"] == code["diff"])
        #expect(facts["features"]?["service"]?.string?.isEmpty == false)
        #expect(facts["features"]?["digest"]?.string?.hasPrefix("sha256:") == true)
        for key in ["modelworks", "lightgbm", "duckdb", "platform", "os", "cpu", "cores"] {
            #expect(facts["environment"]?[key]?.string?.isEmpty == false, "\(key)")
        }
        #expect(facts["data"]?["training set"]?.string?.count == 36)
        #expect((facts["data"]?.object ?? [:]).count > 1)
        #expect(facts["parameters"]?["seed"] != nil)
        #expect(facts["artifacts"]?["recipe.json"] != nil)
    }

    @Test func theSameInputsGiveTheSameBits() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        let run = try await train(shop, ["register": false, "code": code])
        let result = try await shop.post("/runs/\(run)/reproduce", ["code": code])
        #expect(result["outcomes"] == [] && result["inputs"] == [], "\(result)")
        let again = try #require(result["run"]?.string)
        #expect(again != run)
        let (one, other) = (
            try await shop.get("/runs/\(run)/facts").json, try await shop.get("/runs/\(again)/facts").json
        )
        #expect(one["metrics"] == other["metrics"])
        #expect(one["artifacts"]?["model/manifest.json"] == other["artifacts"]?["model/manifest.json"])
        let lineage = try await shop.get("/runs/\(run)/lineage").json
        #expect(lineage["facts"] == one && lineage["versions"] == [])
    }

    @Test func whatDiffersIsNamed() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        let run = try await train(shop, ["register": false, "code": code])
        // Orders that were not there yet, and another commit.
        try Rows(shuffled: true).write(to: shop.folder)
        try await shop.post("/data/ingest")
        let result = try await shop.post(
            "/runs/\(run)/reproduce", ["code": ["commit": "2222222222222222222222222222222222222222"]])
        let inputs = (result["inputs"]?.array ?? []).compactMap { $0["name"]?.string }
        #expect(inputs.contains("code.commit") && inputs.contains("code.diff"), "\(inputs)")
        #expect(inputs.contains { $0.hasPrefix("data.") }, "\(inputs)")
        #expect(!inputs.contains { $0.hasPrefix("environment.") || $0.hasPrefix("features.") }, "\(inputs)")
    }

    @Test func whatWasNotTrainedHereCanNotBeDoneAgain() async throws {
        let shop = try await Workshop()
        let made = try await shop.works.dispatch(
            .post, "/api/2.0/mlflow/runs/create", headers: ["Content-Type": "application/json"],
            body: Array(#"{"experiment_id": "0"}"#.utf8))
        let document = try JSON.decode(JSONValue.self, from: made.body)
        let id = try #require(document["run"]?["info"]?["run_id"]?.string)
        let answer = try await shop.send(.post, "/runs/\(id)/reproduce", [:])
        #expect(answer.status == 412)
        #expect(answer.json["error"]?.string?.contains("was not trained here") == true)
    }

    @Test func theBestRunIsFound() async throws {
        let shop = try await Workshop()
        func mlflow(_ path: String, _ body: JSONValue) async throws -> JSONValue {
            let answer = try await shop.works.dispatch(
                .post, "/api/2.0/mlflow\(path)", headers: ["Content-Type": "application/json"],
                body: try JSON.canonical(body))
            return try JSON.decode(JSONValue.self, from: answer.body)
        }
        var runs: [String] = []
        for value: JSONValue in [0.25, 0.75, "NaN", 0.5] {
            let made = try await mlflow("/runs/create", ["experiment_id": "0"])
            let id = try #require(made["run"]?["info"]?["run_id"]?.string)
            _ = try await mlflow(
                "/runs/log-metric", ["run_id": .string(id), "key": "val/auc", "value": value, "timestamp": 1])
            _ = try await mlflow("/runs/update", ["run_id": .string(id), "status": "FINISHED"])
            runs.append(id)
        }
        let most = try await shop.get("/experiments/Default/best?metric=val%2Fauc").json
        #expect(most["id"]?.string == runs[1])
        let least = try await shop.get("/experiments/Default/best?metric=val%2Fauc&least=true").json
        #expect(least["id"]?.string == runs[0])
        #expect(try await shop.get("/experiments/Default/best?metric=none").status == 400)
        #expect(try await shop.get("/experiments/none/best?metric=auc").status == 404)
    }
}
