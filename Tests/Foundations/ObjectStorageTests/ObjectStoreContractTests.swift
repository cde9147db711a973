import Basics
import Engines
import Foundation
import ObjectStorage
import TestSupport
import Testing

/// What every object store does, whatever it stands on.
@Suite struct ObjectStoreContractTests {
    // SHA-256 of "abc", from FIPS 180-2, appendix B.1.
    private let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    private func noise(_ count: Int) -> [UInt8] {
        var word: UInt64 = 0
        return (0..<count).map { index in
            if index % 8 == 0 { word = SplitMix.mix(UInt64(index)) }
            return UInt8(truncatingIfNeeded: word >> (8 * UInt64(index % 8)))
        }
    }

    @Test(arguments: ObjectEngine.allCases)
    func objectsAreNamedByTheirContent(_ engine: ObjectEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder).store
        let digest = try await store.put(Array("abc".utf8))
        #expect(digest.hex == abc)
        #expect(try await store.put(Array("abc".utf8)) == digest)
        #expect(try await store.get(digest) == Array("abc".utf8))
        #expect(try await store.size(digest) == 3)
        let path = try await store.localPath(digest)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o444)
        #expect(try AtomicFile.read(path) == Array("abc".utf8))
        #expect(try await store.localPath(digest) == path)
        let empty = try await store.put([])
        #expect(try await store.get(empty).isEmpty)
        #expect(try await store.size(empty) == 0)
        #expect(try AtomicFile.read(try await store.localPath(empty)).isEmpty)
        #expect(try await store.list() == [digest, empty].sorted())
        try await store.delete(digest)
        try await store.delete(digest)
        #expect(try await !store.contains(digest))
        await #expect(throws: StorageFailure.objectNotFound(digest)) { try await store.get(digest) }
        await #expect(throws: StorageFailure.objectNotFound(digest)) { try await store.size(digest) }
        await #expect(throws: StorageFailure.objectNotFound(digest)) { try await store.localPath(digest) }
        for staging in [folder("deep/store/tmp"), folder("cache/tmp")]
        where FileManager.default.fileExists(atPath: staging) {
            #expect(try FileManager.default.contentsOfDirectory(atPath: staging).isEmpty)
        }
    }

    @Test(arguments: ObjectEngine.allCases, [3 << 20 | 17, 8 << 20, 16 << 20, 16 << 20 | 1, 37 << 20 | 5])
    func filesOfSeveralPiecesAreStored(_ engine: ObjectEngine, _ size: Int) async throws {
        let folder = try TemporaryFolder()
        let opened = try await engine.store(in: folder)
        let store = opened.store
        let bytes = noise(size)
        try AtomicFile.write(folder("source"), bytes)
        let digest = try await store.put(file: folder("source"))
        #expect(digest == Digest(of: bytes))
        #expect(try await store.get(digest) == bytes)
        #expect(try await store.size(digest) == Int64(size))
        #expect(try AtomicFile.read(try await store.localPath(digest)) == bytes)
        await #expect(throws: StorageFailure.notFound(path: folder("none"))) {
            try await store.put(file: folder("none"))
        }
        let other = Array(bytes.reversed())
        let second = try await store.put(other)
        #expect(try await store.get(second) == other)
        #expect(try await store.put(other) == second)
    }

    @Test(arguments: ObjectEngine.allCases)
    func aTamperedObjectIsFoundAndReplaced(_ engine: ObjectEngine) async throws {
        let folder = try TemporaryFolder()
        let opened = try await engine.store(in: folder)
        let store = opened.store
        let digest = try await store.put(Array("abc".utf8))
        var stored = try await opened.raw.get(digest)
        stored[stored.count / 2] ^= 1
        try await opened.raw.put(.bytes(stored), as: digest, replacing: true)
        await #expect { try await store.localPath(digest) } throws: { ($0 as? any Failure)?.code == .dataLoss }
        await #expect { try await store.get(digest) } throws: { ($0 as? any Failure)?.code == .dataLoss }
        #expect(try await store.put(Array("abc".utf8)) == digest)
        #expect(try await store.get(digest) == Array("abc".utf8))
        #expect(try AtomicFile.read(try await store.localPath(digest)) == Array("abc".utf8))
    }

    @Test(arguments: ObjectEngine.allCases)
    func manyWritersOfTheSameObjectAgree(_ engine: ObjectEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder).store
        let names = try await withThrowingTaskGroup(of: Digest.self) { group in
            for _ in 0..<30 { group.addTask { try await store.put(Array("same".utf8)) } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(names == [Digest(of: "same")])
        #expect(try await store.list().count == 1)
        let paths = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<30 { group.addTask { try await store.localPath(Digest(of: "same")) } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(paths.count == 1)
    }

    @Test(arguments: ObjectEngine.allCases.filter(\.isSealed))
    func sealedStoresHoldNoPlaintext(_ engine: ObjectEngine) async throws {
        let folder = try TemporaryFolder()
        let opened = try await engine.store(in: folder)
        let word = Array("the plaintext that must not be seen".utf8)
        try AtomicFile.write(folder("source"), word)
        let first = try await opened.store.put(word)
        let second = try await opened.store.put(file: try folder.write("another plaintext, sealed as a file", to: "f"))
        for name in [first, second] {
            let stored = String(decoding: try await opened.raw.get(name), as: UTF8.self)
            #expect(!stored.contains("plaintext"))
            #expect(String(decoding: try await opened.store.get(name), as: UTF8.self).contains("plaintext"))
        }
    }

    @Test(arguments: ObjectEngine.allCases)
    func aCheckTellsAndAnEndIsAnEnd(_ engine: ObjectEngine) async throws {
        let folder = try TemporaryFolder()
        let opened = try await engine.store(in: folder)
        let report = try await opened.store.check()
        #expect(report.place.hasPrefix(engine == .file || engine == .sealedFile ? "file:/" : "s3://"))
        #expect(report.seconds > 0 && report.seconds < 10)
        #expect(report.warnings.isEmpty)
        #expect((report.clockSkewSeconds ?? 0).magnitude < 5)
        #expect(try await opened.store.list().isEmpty)
        await opened.store.close()
        await opened.store.close()
        await #expect { _ = try await opened.store.put([1]) } throws: { error in
            if case StorageFailure.closed = error { true } else { false }
        }
    }

    @Test(arguments: ObjectEngine.allCases)
    func listsGoOverSeveralPages(_ engine: ObjectEngine) async throws {
        guard !engine.isSealed else { return }
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder).store
        let names = try await withThrowingTaskGroup(of: Digest.self) { group in
            for index in 0..<1100 { group.addTask { try await store.put(Array("\(index)".utf8)) } }
            return try await group.reduce(into: [Digest]()) { $0.append($1) }
        }
        #expect(try await store.list() == names.sorted())
    }
}
