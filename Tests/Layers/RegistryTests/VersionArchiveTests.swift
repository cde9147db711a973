import Basics
import Experiments
import Foundation
import Journal
import ObjectStorage
import SQL
import Sealing
import TestSupport
import Testing

@testable import Registry

/// Versions on their way from one installation to another.
@Suite(.serialized) struct VersionArchiveTests {
    private struct Place {
        let desk: RegistryDesk
        let archive: VersionArchive
        let keyFile: String

        init(bytesMax: Int = 1 << 20) async throws {
            desk = try await RegistryDesk()
            keyFile = desk.folder("models.ed25519")
            archive = VersionArchive(
                registry: desk.registry, experiments: desk.experiments, objects: desk.objects, time: desk.time,
                keyFile: keyFile, spoolFolder: desk.folder("spool"), bytesMax: bytesMax)
        }

        /// Trusts what another place exports.
        func trust(_ other: Place) throws {
            let mine = try SigningKeyring.opened(atFile: keyFile)
            _ = mine
            let theirs = try SigningKeyring.opened(atFile: other.keyFile).verifyingKeys.first
            let text = try String(contentsOfFile: keyFile, encoding: .utf8) + "\(theirs?.description ?? "")\n"
            try text.write(toFile: keyFile, atomically: false, encoding: .utf8)
        }
    }

    @Test func aVersionTravelsWithAllThatIsKnownOfIt() async throws {
        let (here, there) = (try await Place(), try await Place())
        let id = try await here.desk.version("delays")
        try await here.desk.registry.setTag(Pair(key: "team", value: "red"), of: id, by: "user:ann")
        let bytes = try await here.archive.bytes(of: id, by: "user:ann")
        do {
            _ = try await there.archive.register(bytes, as: nil, by: "user:bob")
            Issue.record("a stranger's file was taken")
        } catch RegistryFailure.untrusted(let key, _) {
            #expect(key == (try SigningKeyring.opened(atFile: here.keyFile).signer?.id))
        }
        try there.trust(here)
        // The number there is the next there.
        for _ in 0..<3 { _ = try await there.desk.version("delays") }
        let version = try await there.archive.register(bytes, as: nil, by: "user:bob")
        #expect(version.id == ModelVersionID(model: "delays", version: 4))
        let original = try await here.desk.registry.version(id)
        #expect(version.bundle == original.bundle && version.metrics == original.metrics)
        #expect(version.materials?.origin?.version == id && version.materials?.origin?.run == original.run)
        #expect(version.materials?.parameters == original.materials?.parameters)
        #expect(try await there.desk.registry.registered(version.id).tags == [Pair(key: "team", value: "red")])
        // Its files are where MLflow's client looks for them.
        let location = try await there.desk.registry.registered(version.id).location
        let root = try #require(try ArtifactPath(location: location))
        #expect(
            try await there.desk.experiments.artifact(at: root.appending("model.pkl"))
                == Array("weights of \(original.run ?? "")".utf8))
        there.desk.registry.use(.standard)
        try await there.desk.registry.move(version.id, to: .production, reason: "", by: "user:bob")
        // Once more is no other version, and elsewhere it is one of another name.
        #expect(try await there.archive.register(bytes, as: nil, by: "user:bob").id == version.id)
        #expect(try await there.archive.register(bytes, as: "copies", by: "user:bob").id.description == "copies/1")
        for place in [here, there] { await place.desk.database.close() }
    }

    @Test func oneFileIsOneVersionHoweverManyImportItAtOnce() async throws {
        let place = try await Place()
        let bytes = try await place.archive.bytes(of: try await place.desk.version("m"), by: "user:ann")
        let versions = try await withThrowingTaskGroup(of: ModelVersionID.self) { group in
            for _ in 0..<16 {
                group.addTask { try await place.archive.register(bytes, as: "copies", by: "user:bob").id }
            }
            return try await group.reduce(into: Set<ModelVersionID>()) { $0.insert($1) }
        }
        #expect(versions == [ModelVersionID(model: "copies", version: 1)])
        #expect(try await place.desk.registry.versions(of: "copies").count == 1)
        // A version that was deleted is not what it was.
        try await place.desk.registry.deleteVersion(ModelVersionID(model: "copies", version: 1), by: "user:bob")
        #expect(try await place.archive.register(bytes, as: "copies", by: "user:bob").id.version == 2)
        await place.desk.database.close()
    }

    @Test func whatIsTooLargeIsRefused() async throws {
        let place = try await Place(bytesMax: 600)
        let id = try await place.desk.version("m")
        let version = try await place.desk.registry.version(id)
        let files = try VersionPapers.files(of: try await place.desk.objects.get(version.bundle)).values
        let all = Set(files).union([version.bundle])
        var sum: Int64 = 0
        for file in all { sum += try await place.desk.objects.size(file) }
        #expect(sum > 600)
        do {
            _ = try await place.archive.export(id, by: "user:ann")
            Issue.record("\(sum) bytes were exported")
        } catch RegistryFailure.tooLarge(let refused, let limit) {
            #expect(refused == id && limit == 600)
        }
        await place.desk.database.close()
    }

    @Test func noByteCanBeAnother() async throws {
        let place = try await Place()
        let id = try await place.desk.version("m")
        let bytes = try await place.archive.bytes(of: id, by: "user:ann")
        let random = SeededRandom(seed: 11)
        for _ in 0..<400 {
            var changed = bytes
            let index = Int(random.next() % UInt64(changed.count))
            changed[index] ^= UInt8(1 + random.next() % 255)
            do {
                _ = try await place.archive.register(changed, as: "copies", by: "user:eve")
                Issue.record("byte \(index) was changed unseen")
            } catch {}
        }
        for length in stride(from: 0, to: bytes.count, by: 997) {
            await #expect(throws: (any Error).self) {
                try await place.archive.register(Array(bytes.prefix(length)), as: "copies", by: "user:eve")
            }
        }
        #expect(try await place.desk.registry.versions().map(\.id) == [id])
        await place.desk.database.close()
    }

    @Test func whatIsAddedOrLeftOutIsSeen() async throws {
        let place = try await Place()
        let bytes = try await place.archive.bytes(of: try await place.desk.version("m"), by: "user:ann")
        let members = try TarFile.read(bytes, limit: 1 << 20)
        var variants: [[TarFile.Member]] = members.indices.map { index in
            var fewer = members
            fewer.remove(at: index)
            return fewer
        }
        let stray = Array("stray".utf8)
        variants += [
            members + [TarFile.Member(name: "objects/\(Digest(of: stray).hex)", bytes: stray)],
            members + [TarFile.Member(name: "../evil", bytes: stray)], members + [members[2]], members.reversed(),
        ]
        for variant in variants {
            await #expect(throws: (any Error).self) {
                try await place.archive.register(try TarFile.write(variant), as: "copies", by: "user:eve")
            }
        }
        // A statement that says something else, signed by another.
        let forger = try SigningKey.generate()
        var statement = try JSON.decode(VersionArchive.Statement.self, from: members[0].bytes)
        statement.metrics["auc"] = 1
        let text = try JSON.canonical(statement)
        let paper: JSONValue = [
            "key": .string(try SigningKeyring.opened(atFile: place.keyFile).signer?.id ?? ""),
            "signature": .string(Base64.text(forger.sign(text))),
        ]
        let forged =
            [
                TarFile.Member(name: "statement.json", bytes: text),
                TarFile.Member(name: "signature.json", bytes: try JSON.canonical(paper)),
            ] + members.dropFirst(2)
        await #expect(throws: RegistryFailure.self) {
            try await place.archive.register(try TarFile.write(forged), as: "copies", by: "user:eve")
        }
        await place.desk.database.close()
    }
}
