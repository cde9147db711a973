import Basics
import Engines
import Foundation
import ObjectStorage
import Sealing
import TestSupport
import Testing

/// Objects sealed with real keys.
@Suite struct KeyringSealerTests {
    private func keyring(_ ids: [String]) throws -> SealingKeyring {
        let lines = try ids.map { try SealingKeyring.freshLine(id: $0).revealed }
        return try SealingKeyring(Secret(lines.joined(separator: "\n")), origin: "the test")
    }

    @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000])
    func lengthsAreToldWithoutOpening(_ count: Int) throws {
        let sealer = KeyringSealer(try keyring(["key-1"]))
        let sealed = try sealer.seal([UInt8](repeating: 1, count: count))
        #expect(sealer.openedSize(ofSealed: Int64(sealed.count)) == Int64(count))
        let mixed = KeyringSealer(try keyring(["key-1", "key-22"]))
        #expect(mixed.openedSize(ofSealed: Int64(sealed.count)) == nil)
    }

    @Test(arguments: [ObjectEngine.file, .s3], [["key-1"], ["key-1", "key-22"]])
    func objectsComeBack(_ engine: ObjectEngine, _ ids: [String]) async throws {
        let folder = try TemporaryFolder()
        let opened = try await engine.store(in: folder)
        let sealer = KeyringSealer(try keyring(ids))
        let store = try await ObjectStores.open(opened.url, cache: folder("copies"), sealer: sealer)
        let text = String(repeating: "plaintext ", count: 20_000)
        let file = try await store.put(file: try folder.write(text, to: "source"))
        let small = try await store.put(Array("plaintext".utf8))
        #expect(try await store.size(file) == Int64(text.utf8.count))
        #expect(try await store.get(file) == Array(text.utf8))
        #expect(try AtomicFile.read(try await store.localPath(file)) == Array(text.utf8))
        #expect(try AtomicFile.read(try await store.localPath(small)) == Array("plaintext".utf8))
        for name in [file, small] {
            let stored = String(decoding: try await opened.raw.get(name), as: UTF8.self)
            #expect(!stored.contains("plaintext"))
        }
        let stranger = try await ObjectStores.open(
            opened.url, cache: folder("strange"), sealer: KeyringSealer(try keyring(ids)))
        await #expect { try await stranger.get(file) } throws: { ($0 as? any Failure)?.code == .dataLoss }
        await #expect { try await stranger.localPath(file) } throws: { ($0 as? any Failure)?.code == .dataLoss }
        for staging in [folder("copies/tmp"), folder("strange/tmp")] {
            #expect(try FileManager.default.contentsOfDirectory(atPath: staging).isEmpty)
        }
    }
}
