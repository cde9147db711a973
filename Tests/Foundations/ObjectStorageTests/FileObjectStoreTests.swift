import Basics
import Foundation
import ObjectStorage
import TestSupport
import Testing

@Suite struct FileObjectStoreTests {
    @Test func objectsLieInAFixedPlace() async throws {
        let folder = try TemporaryFolder()
        let store = try FileObjectStore(root: folder("store"))
        let digest = try await store.put(Array("abc".utf8))
        #expect(try await store.localPath(digest) == folder("store/objects/ba/\(digest.hex.dropFirst(2))"))
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
