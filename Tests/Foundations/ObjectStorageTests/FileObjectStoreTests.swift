import Basics
import Foundation
import ObjectStorage
import TestSupport
import Testing

@Suite struct FileObjectStoreTests {
    // SHA-256 of "abc", from FIPS 180-2, appendix B.1.
    private let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test func objectsAreNamedByTheirContent() async throws {
        let folder = try TemporaryFolder()
        let store = try FileObjectStore(root: folder("deep/store"))
        let digest = try await store.put(Array("abc".utf8))
        #expect(digest.hex == abc)
        #expect(try await store.put(Array("abc".utf8)) == digest)
        #expect(try await store.get(digest) == Array("abc".utf8))
        #expect(try await store.size(digest) == 3)
        let path = try await store.localPath(digest)
        #expect(path == folder("deep/store/objects/ba/\(abc.dropFirst(2))"))
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o444)
        let empty = try await store.put([])
        #expect(try await store.get(empty).isEmpty)
        #expect(try await store.list() == [digest, empty].sorted())
        try await store.delete(digest)
        try await store.delete(digest)
        #expect(try await !store.contains(digest))
        await #expect(throws: StorageFailure.objectNotFound(digest)) { try await store.get(digest) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder("deep/store/tmp")).isEmpty)
    }

    @Test func filesOfSeveralPiecesAreStored() async throws {
        let folder = try TemporaryFolder()
        let store = try FileObjectStore(root: folder("store"))
        let bytes = (0..<(3 << 20 | 17)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try AtomicFile.write(folder("source"), bytes)
        let digest = try await store.put(file: folder("source"))
        #expect(digest == Digest(of: bytes))
        #expect(try await store.get(digest) == bytes)
        await #expect(throws: StorageFailure.notFound(path: folder("none"))) {
            try await store.put(file: folder("none"))
        }
    }

    @Test func aTamperedObjectIsFoundAndReplaced() async throws {
        let folder = try TemporaryFolder()
        let store = try FileObjectStore(root: folder("store"))
        let digest = try await store.put(Array("abc".utf8))
        let path = try await store.localPath(digest)
        try AtomicFile.write(path, Array("abd".utf8))
        await #expect { try await store.get(digest) } throws: { ($0 as? StorageFailure)?.code == .dataLoss }
        await #expect { try await store.localPath(digest) } throws: { ($0 as? StorageFailure)?.code == .dataLoss }
        #expect(try await store.put(Array("abc".utf8)) == digest)
        #expect(try await store.get(digest) == Array("abc".utf8))
    }

    @Test func leftoversOfACrashAreRemovedAtOpening() async throws {
        let folder = try TemporaryFolder()
        _ = try FileObjectStore(root: folder("store"))
        let leftover = folder("store/tmp/.staged-abcdef")
        try Data("half".utf8).write(to: URL(fileURLWithPath: leftover))
        let store = try FileObjectStore(root: folder("store"))
        #expect(!FileManager.default.fileExists(atPath: leftover))
        #expect(try await store.list().isEmpty)
    }

    @Test func manyWritersOfTheSameObjectAgree() async throws {
        let folder = try TemporaryFolder()
        let store = try FileObjectStore(root: folder("store"))
        let names = try await withThrowingTaskGroup(of: Digest.self) { group in
            for _ in 0..<50 { group.addTask { try await store.put(Array("same".utf8)) } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(names == [Digest(of: "same")])
        #expect(try await store.list().count == 1)
    }

    @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs is not permitted"))
    func aFullDiskLeavesNoPartialObject() async throws {
        let disk = try SmallDisk(kilobytes: 512)
        let store = try FileObjectStore(root: disk.path)
        let large = [UInt8](repeating: 1, count: 1 << 20)
        await #expect { try await store.put(large) } throws: { ($0 as? StorageFailure)?.code == .resourceExhausted }
        #expect(try await store.list().isEmpty)
        #expect(try await !store.contains(Digest(of: large)))
        let small = try await store.put([1, 2, 3])
        #expect(try await store.get(small) == [1, 2, 3])
        try AtomicFile.write("\(disk.path)/file", [9])
        #expect(throws: StorageFailure.self) { try AtomicFile.write("\(disk.path)/file", large) }
        #expect(try AtomicFile.read("\(disk.path)/file") == [9])
    }
}
