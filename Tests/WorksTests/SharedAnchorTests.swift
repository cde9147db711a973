import Basics
import Engines
import Foundation
import HTTP
import Journal
import TestSupport
import Testing
import Workshop

@testable import Works

/// A journal that several processes share is anchored among the objects, by the process that drives the loop.
@Suite(.serialized) struct SharedAnchorTests {
    private func anchor(_ environment: [String: String]) async throws -> [Checkpoint] {
        let url = try StoreURL(
            try #require(environment["MODELWORKS_OBJECTS"]), secrets: SecretSource(environment: environment))
        let place = try await AnchorPlace.open(url, environment: environment)
        let found = try await place.anchor.history()
        await place.close()
        return found
    }

    @Test(.timeLimit(.minutes(2))) func theAnchorIsAnObjectAndTheKeyIsShared() async throws {
        let engines = try await FactoryEngines.shared.set()
        var variables = engines.environment(for: "anchored")
        variables["MODELWORKS_STREAMS"] = nil
        let folder = try TemporaryFolder()
        variables[Works.journalKeyVariable] = folder("shared.ed25519")
        let environment = variables
        func shop(_ name: String, _ environment: [String: String]) async throws -> Workshop {
            try await Workshop(in: folder) {
                $0.root = folder(name)
                $0.stores = StoreAddresses(environment: environment)
                $0.environment = environment
            }
        }
        let first = try await shop("first", environment)
        try await first.apply(Blueprint.files(with: ["works.yaml": "{name: w, owner: t, data: data, clock: system}\n"]))
        let second = try await shop("second", environment)
        // Both verify what either signs.
        let made = try await first.post("/journal/checkpoint")
        #expect(made["anchor"]?.string?.contains("journal/checkpoint.json") == true)
        #expect(try await second.get("/journal/verify").json["intact"] == true)
        #expect(try await second.get("/journal/verify").json["strangers"] == 0)
        // The one that does not drive the loop leaves the anchor alone when it closes.
        #expect(await first.works.driveLoop())
        try await second.post(
            "/apply",
            second.directory(Blueprint.files(with: ["works.yaml": "{name: w, owner: u, data: data, clock: system}\n"])))
        let known = try await anchor(environment)
        await second.works.close()
        #expect(try await anchor(environment) == known)
        await first.works.close()
        let last = try await anchor(environment)
        #expect(last.last?.sequence ?? 0 > known.last?.sequence ?? 0)
        #expect(!FileManager.default.fileExists(atPath: folder("first/anchor/journal.jsonl")))

        let address = try #require(environment["MODELWORKS_OBJECTS"])
        let arguments = ["journal", "verify", "--root", folder("first"), "--anchor", address]
        let verified = try await Program.run(arguments, environment, folder: folder.path)
        #expect(verified.code == 0 && verified.output.contains("checkpoint at"), "\(verified.all)")

        // A process with a key of its own is told what that means.
        var strange = environment
        strange[Works.journalKeyVariable] = nil
        let stranger = try await Program.run(
            ["journal", "verify", "--root", folder("third")], strange, folder: folder.path)
        #expect(stranger.code == 1, "\(stranger.all)")
        #expect(stranger.output.contains("was not signed by any known key: another process"), "\(stranger.all)")
        #expect(stranger.output.contains("MODELWORKS_JOURNAL_KEY_FILE"), "\(stranger.all)")
    }

    @Test func anAddressOfItsOwnComesFirst() async throws {
        let folder = try TemporaryFolder()
        var stores = StoreAddresses()
        stores.anchor = "file:\(folder("audit/journal.jsonl"))"
        let (addresses, root) = (stores, folder("root"))
        let works = try await Works.open(WorksOptions(root: root, stores: addresses, environment: [:]))
        let applied = try await works.dispatch(
            .post, "/api/works/v1/apply", headers: ["Content-Type": "application/json"],
            body: Array(#"{"root":"/tmp","files":{"works.yaml":"{name: x, owner: y}"}}"#.utf8))
        #expect(applied.status == 200)
        await works.close()
        #expect(FileManager.default.fileExists(atPath: folder("audit/journal.jsonl")))
        let again = try await Works.open(WorksOptions(root: root, environment: [:]))
        await again.close()
        let manifest = try StoreAddresses(manifest: "name: x\nstores: {anchor: 's3://audit/works'}\n")
        #expect(manifest.anchor == "s3://audit/works")
        #expect(StoreAddresses(environment: ["MODELWORKS_ANCHOR": "file:/x"]).anchor == "file:/x")
    }
}
