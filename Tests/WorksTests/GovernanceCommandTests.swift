import Basics
import Foundation
import HTTP
import TestSupport
import Testing
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
            _ = try await session.say("models", "approve", one, code: 1)
            let request = try await session.say(
                "models", "request", one, "--stage", "Production", "--reason", "first")
            #expect(request["requester"] == "user:ann" && request["number"] == 1)
            #expect(try await session.say("models", "requests", "--state", "open").array?.count == 1)
            _ = try await session.say("models", "approve", one, code: 1)
            #expect(try await session.say("models", "reject", one, "--reason", "no", by: "bob")["state"] == "rejected")
            _ = try await session.say("models", "request", one, "--stage", "Production", "--reason", "again")
            #expect(try await session.say("models", "approve", one, by: "bob")["state"] == "done")
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
}

extension JSONValue {
    /// The member at a path such as `materials.origin`.
    fileprivate func at(_ path: String) -> JSONValue? {
        path.split(separator: ".").reduce(Optional(self)) { $0?[String($1)] }
    }
}
