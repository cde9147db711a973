import Basics
import SQL
import TestSupport
import Testing
import Works
import Workshop

/// Stored runs of a pipeline go on from their step: one that lacks what an earlier step should have left ends as failed and
/// says what it lacks.
@Suite(.serialized) struct IncompletePipelineTests {
    static let files = Blueprint.files(with: [
        "pipelines/again.yaml": """
        name: again
        owner: test
        endpoint: orders
        training: failures
        triggers: [drift]
        cooldown: 1d
        max_runs: 3
        margin: 0.2%
        """
    ])

    /// The claim on the root ends with the value.
    private func makeFactory(in folder: TemporaryFolder) async throws {
        let shop = try await Workshop(in: folder)
        try await shop.apply(Self.files)
        await shop.works.close()
    }

    @Test(arguments: [("register", "candidate"), ("rollout", "registered version")])
    func theRunSaysWhatItLacks(step: String, missing: String) async throws {
        let folder = try TemporaryFolder()
        try await makeFactory(in: folder)
        let record: JSONValue = [
            "id": "broken", "pipeline": "again", "trigger": "alert", "created": .string("\(Blueprint.trainedTo)"),
            "state": "running", "step": .string(step), "history": [],
        ]
        try await store(record, in: folder)

        let second = try await Workshop(in: folder)
        try await second.advance(to: Blueprint.end)
        let run = try #require(try await second.get("/pipelines/runs").json.array?.first)
        #expect(run["state"] == "failed")
        #expect(
            run["reason"]?.string?.hasPrefix(
                "\(step): the stored pipeline run 'broken' came to its step '\(step)' without a \(missing)") == true)
        #expect(run["history"]?.array?.count == 3)
        #expect(try await second.get("/journal/verify").json["intact"] == true)
    }

    @Test func whereOthersMustAgreeToStagingTheyAreAsked() async throws {
        let folder = try TemporaryFolder()
        let files = Self.files.merging([
            "works.yaml": """
            {name: workshop, owner: test, data: data, clock: replay, registry: {approvals: {Staging: 1}}}

            """
        ]) { $1 }
        let candidate = try await trainAndDeploy(files, in: folder)
        let record: JSONValue = [
            "id": "asking", "pipeline": "again", "trigger": "alert", "created": .string("\(Blueprint.trainedTo)"),
            "state": "running", "step": "register", "history": [], "candidate": candidate,
        ]
        try await store(record, in: folder)
        let second = try await Workshop(in: folder)
        try await second.advance(to: Blueprint.end)
        let run = try #require(try await second.get("/pipelines/runs").json.array?.first)
        #expect(run["state"] == "succeeded", "\(run)")
        #expect(try await second.get("/rollouts").json.array?.first?["state"] == "progressing")
        let request = try await second.get("/models/order-failure/requests").json.array?.first
        #expect(request?["stage"] == "Staging" && request?["state"] == "open")
        #expect(request?["requester"] == "system:pipeline")
    }

    private func trainAndDeploy(_ files: [String: String], in folder: TemporaryFolder) async throws -> JSONValue {
        let shop = try await Workshop(in: folder)
        try await shop.apply(files)
        let candidate = try #require(try await shop.trainAndDeploy()["candidate"])
        await shop.works.close()
        return candidate
    }

    private func store(_ record: JSONValue, in folder: TemporaryFolder) async throws {
        let database = try await Database.open(at: folder("root/works.db"))
        let id = record["id"]?.string ?? ""
        try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO pipeline_runs (id, pipeline, "trigger", state, record, created)
                VALUES (?, 'again', 'alert', 'running', ?, ?)
                """, [.text(id), .text(try JSON.string(record)), .init(Blueprint.trainedTo)])
        }
        await database.close()
    }
}
