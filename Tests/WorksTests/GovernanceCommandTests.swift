import Basics
import Foundation
import HTTP
import TestSupport
import Testing
import Works
import Workshop

/// The words about model versions, each through the command line and a server.
@Suite(.serialized) struct GovernanceCommandTests {
    private struct Session: Sendable {
        let folder: TemporaryFolder
        let url: String

        func say(_ words: String..., by user: String = "ann", code: Int32 = 0) async throws -> JSONValue {
            let told = try await Program.run(
                words + ["--json", "--url", url], ["USER": user], folder: folder.path)
            #expect(told.code == code, "\(words): \(told.all)")
            return code == 0 ? told.json : .string(told.all)
        }
    }

    @Test func aVersionGoesItsWay() async throws {
        let shop = try await Workshop()
        let files = Blueprint.files.merging([
            "works.yaml": """
            {name: workshop, owner: test, data: data, clock: replay, registry: {approvals: {Production: 1}}}

            """
        ]) { $1 }
        try await shop.apply(files)
        for _ in 0..<2 { try await shop.post("/train/\(Blueprint.training)", ["to": "2024-01-14T00:00:00Z"]) }
        try await shop.serving { _ in
            let session = Session(folder: shop.folder, url: "http://\(try shop.address())")
            let one = "order-failure/1"
            #expect(try await session.say("models", "list").array?.count == 2)
            #expect(try await session.say("models", "show", one)["stage"] == "None")
            #expect(try await session.say("models", "promote", one, "--stage", "Staging")["stage"] == "Staging")
            let alone = try await session.say("models", "promote", one, "--stage", "Production", code: 1)
            #expect(alone.string?.contains("modelworks models request order-failure/1") == true, "\(alone)")
            // Who answers is not decided past them either.
            let early = try await session.say("deploy", "orders", one, code: 1)
            #expect(early.string?.contains("modelworks models request order-failure/1") == true, "\(early)")
            #expect(early.string?.contains("--emergency") == true, "\(early)")
            #expect(try await shop.journal(type: "endpoint.deployed").isEmpty)
            let urgent = try await session.say("deploy", "orders", one, "--emergency", "the other one is down")
            #expect(urgent.at("stable.version") == 1)
            let entry = try #require(try await shop.journal(type: "endpoint.deployed").last)
            #expect(entry.at("body.emergency") == "the other one is down" && entry["principal"] == "user:ann")
            _ = try await session.say("models", "approve", one, code: 1)
            let request = try await session.say(
                "models", "request", one, "--stage", "Production", "--reason", "first")
            #expect(request["requester"] == "user:ann" && request["number"] == 1)
            #expect(try await session.say("models", "requests", "--state", "open").array?.count == 1)
            _ = try await session.say("models", "approve", one, code: 1)
            #expect(try await session.say("models", "reject", one, "--reason", "no", by: "bob")["state"] == "rejected")
            _ = try await session.say("models", "request", one, "--stage", "Production", "--reason", "again")
            #expect(try await session.say("models", "approve", one, by: "bob")["state"] == "done")
            #expect(try await session.say("deploy", "orders", one).at("stable.version") == 1)
            _ = try await session.say("models", "comment", one, "--text", "well done")
            #expect(try await session.say("models", "comments", one).array?.count == 1)
            let history = try await session.say("models", "history", one).array?.compactMap { $0["type"]?.string }
            #expect(
                history == [
                    "model.registered", "model.stage", "model.requested", "model.rejected", "model.requested",
                    "model.approved", "model.stage", "model.comment",
                ])
            let bill = try await session.say("models", "bom", one)
            #expect(bill["missing"] == [] && bill.at("materials.features") != nil && bill.at("materials.sample") != nil)
            let difference = try await session.say("models", "diff", one, "order-failure/2")
            #expect(difference.array?.contains { $0["path"] == "run" } == true, "\(difference)")
            let lineage = try await session.say("lineage", one)
            #expect(lineage["missing"] == [] && lineage.at("parameters.seed") != nil)
            let file = "\(shop.folder.path)/version.tar"
            let told = try await session.say("models", "export", one, "--out", file)
            let bytes = try [UInt8](Data(contentsOf: URL(filePath: file)))
            #expect(told["digest"]?.string == Digest(of: bytes).description)
            let copy = try await session.say("models", "import", file, "--model", "copies")
            #expect(copy.at("id.model") == "copies" && copy.at("id.version") == 1)
            #expect(copy["bundle"] == bill["bundle"])
            // What came that way can serve: its bundle is whole.
            _ = try await session.say("models", "promote", "copies/1", "--stage", "Staging")
            try Data(bytes.dropLast(600)).write(to: URL(filePath: file))
            _ = try await session.say("models", "import", file, "--model", "copies", code: 1)
            _ = try await session.say("models", "nothing", code: 2)
            _ = try await session.say("models", "diff", one, code: 2)
        }
    }

    /// A version whose file is larger than any body that a server reads whole.
    @Test func aLargeVersionTravelsPieceByPiece() async throws {
        let shop = try await Workshop()
        @Sendable func mlflow(_ path: String, _ body: JSONValue) async throws -> JSONValue {
            let answer = try await shop.works.dispatch(
                .post, "/api/2.0/mlflow\(path)", headers: ["Content-Type": "application/json"],
                body: try JSON.canonical(body))
            return try JSON.decode(JSONValue.self, from: answer.body)
        }
        let run = try #require(try await mlflow("/runs/create", ["experiment_id": "0"])["run"]?["info"])
        let (id, uri) = (run["run_id"]?.string ?? "", run["artifact_uri"]?.string ?? "")
        let path = uri.replacing("mlflow-artifacts:/", with: "")
        var weights: [UInt8] = []
        for index in 0..<72 { weights += [UInt8](repeating: UInt8(index), count: 1 << 20) }
        try await shop.serving { [weights] client in
            for (name, bytes) in [("m/weights", weights), ("m/MLmodel", Array("flavors: {}\n".utf8))] {
                let put = try await client.send(
                    .put, "/api/2.0/mlflow-artifacts/artifacts/\(path)/\(name)", body: bytes)
                #expect(put.status == .ok)
            }
            _ = try await mlflow("/registered-models/create", ["name": "big"])
            _ = try await mlflow(
                "/model-versions/create", ["name": "big", "source": .string("\(uri)/m"), "run_id": .string(id)])
            let session = Session(folder: shop.folder, url: "http://\(try shop.address())")
            let file = "\(shop.folder.path)/big.tar"
            let told = try await session.say("models", "export", "big/1", "--out", file)
            #expect((told["bytes"]?.integer ?? 0) > 72 << 20)
            let copy = try await session.say("models", "import", file, "--model", "copies")
            #expect(copy.at("id.model") == "copies")
            let bill = try await session.say("models", "bom", "copies/1")
            #expect(bill.at("files.weights")?.string == Digest(of: weights).description)
            let scratch = try FileManager.default.contentsOfDirectory(atPath: "\(shop.folder.path)/root/scratch")
            #expect(scratch.filter { $0.contains("spool") }.isEmpty)
        }
    }
}

extension JSONValue {
    /// The member at a path such as `materials.origin`.
    fileprivate func at(_ path: String) -> JSONValue? {
        path.split(separator: ".").reduce(Optional(self)) { $0?[String($1)] }
    }
}
