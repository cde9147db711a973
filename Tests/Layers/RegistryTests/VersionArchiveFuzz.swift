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

/// Exported versions that were tampered with: nothing of them is registered. What a trusted installation signed is registered
/// or refused, however odd it is.
@Suite(.serialized) struct VersionArchiveFuzz {
    private static let pieces = [
        "\u{0}", "statement.json", "signature.json", "objects/", "../", "\"", "{", "}", "0", "77777777777", "ustar",
        "x",
    ]
    private static let odd: [JSONValue] = [
        .null, "", " ", 0, -1, 1, .integer(.max), .number(1e300), true, [], [:], "../evil", "a/b", "NaN", "m/1", "m/0",
        "m/-1", "sha256:00", .string(String(repeating: "x", count: 10_000)), "\u{0}", "é🙂", [[[[]]]], ["a": ["b": 1]],
    ]

    private let desk: RegistryDesk
    private let archive: VersionArchive
    private let keyFile: String

    init() async throws {
        desk = try await RegistryDesk()
        keyFile = desk.folder("models.ed25519")
        archive = VersionArchive(
            registry: desk.registry, experiments: desk.experiments, objects: desk.objects, time: desk.time,
            keyFile: keyFile, spoolFolder: desk.folder("spool"))
    }

    private func versions() async throws -> Int { try await desk.registry.versions().count }

    @Test func nothingOfATamperedFileIsRegistered() async throws {
        let fuzzer = Fuzzer(pieces: Self.pieces)
        let id = try await desk.version("m")
        let sound = try await archive.bytes(of: id, by: "user:ann")
        let members = try TarFile.read(sound, limit: 1 << 20)
        for _ in fuzzer.rounds(atLeast: 500) {
            var bytes = sound
            if fuzzer.isOne(in: 2) {
                bytes = fuzzer.mutated(sound)
            } else {
                var changed = members
                let at = fuzzer.below(changed.count)
                switch fuzzer.below(4) {
                case 0: changed[at].name = String(decoding: fuzzer.mutated(Array(changed[at].name.utf8)), as: UTF8.self)
                case 1: changed.swapAt(at, fuzzer.below(changed.count))
                case 2: changed.insert(changed[at], at: fuzzer.below(changed.count))
                default: changed[at].bytes = fuzzer.mutated(changed[at].bytes)
                }
                // Names that no tar file of ours can have.
                guard let written = try? TarFile.write(changed) else { continue }
                bytes = written
            }
            guard bytes != sound else { continue }
            do {
                _ = try await archive.register(bytes, as: "copies", by: "user:eve")
                Issue.record("seed \(fuzzer.seed): a tampered file was taken")
            } catch let failure as any Failure {
                #expect(
                    [.invalidArgument, .permissionDenied, .dataLoss, .resourceExhausted].contains(
                        failure.code),
                    "seed \(fuzzer.seed): \(failure)")
            }
        }
        #expect(try await desk.registry.versions().map(\.id) == [id])
        await #expect(throws: RegistryFailure.self) { try await desk.registry.model("copies") }
        await desk.database.close()
    }

    @Test func whatIsSignedIsRegisteredOrRefused() async throws {
        let fuzzer = Fuzzer(pieces: Self.pieces)
        let sound = try await archive.bytes(of: try await desk.version("m"), by: "user:ann")
        let members = try TarFile.read(sound, limit: 1 << 20)
        let signer = try #require(try SigningKeyring.opened(atFile: keyFile).signer)
        let paper = try #require(members.first)
        let statement = try JSON.decode(JSONValue.self, from: paper.bytes)
        let bundle = try JSON.decode(VersionArchive.Statement.self, from: paper.bytes).bundle
        let manifest = try #require(members.first { $0.name.hasSuffix(bundle.hex) })
        var (taken, refused) = (0, 0)
        for _ in fuzzer.rounds(atLeast: 250) {
            var text = try JSON.canonical(statement)
            var content = Array(members.dropFirst(2))
            if fuzzer.isOne(in: 2) {
                text = try JSON.canonical(fuzzer.mutated(statement, odd: Self.odd))
            } else {
                // Another manifest, which the statement names as its bundle.
                let document = try JSON.decode(JSONValue.self, from: manifest.bytes)
                let changed = try JSON.canonical(fuzzer.mutated(document, odd: Self.odd))
                let digest = Digest(of: changed)
                text = Array(String(decoding: text, as: UTF8.self).replacing(bundle.hex, with: digest.hex).utf8)
                content.removeAll { $0.name == manifest.name }
                content.append(TarFile.Member(name: "objects/\(digest.hex)", bytes: changed))
            }
            let signature: JSONValue = [
                "key": .string(signer.id), "signature": .string(Base64.text(signer.sign(text))),
            ]
            let bytes = try TarFile.write(
                [
                    TarFile.Member(name: "statement.json", bytes: text),
                    TarFile.Member(name: "signature.json", bytes: try JSON.canonical(signature)),
                ] + content)
            let before = try await versions()
            do {
                _ = try await archive.register(bytes, as: fuzzer.isOne(in: 2) ? nil : "copies", by: "user:bob")
                taken += 1
            } catch let failure as any Failure {
                refused += 1
                #expect(failure.code != .internal, "seed \(fuzzer.seed): \(failure)")
                #expect(try await versions() == before)
            } catch {
                Issue.record("seed \(fuzzer.seed): \(error) for \(String(decoding: text, as: UTF8.self))")
            }
        }
        #expect(taken > 20 && refused > 20, "\(taken) taken, \(refused) refused")
        await desk.database.close()
    }
}
