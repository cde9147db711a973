import Basics
import Engines
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

/// Local copies of objects that are elsewhere.
@Suite struct ObjectCacheTests {
    private struct Bench {
        let folder: TemporaryFolder
        let blobs: FileBlobStore
        let time = ManualTime(Timestamp(seconds: 1_700_000_000))

        init() throws {
            folder = try TemporaryFolder()
            blobs = try FileBlobStore(root: folder("blobs"))
        }

        func store(bytesMax: Int64 = 1 << 20, root: String? = nil) throws -> CachedObjectStore {
            CachedObjectStore(
                blobs,
                cache: try ObjectCache(root: root ?? folder("cache"), bytesMax: bytesMax, grace: 60, time: time))
        }

        func pass(seconds: Int64) { time.advance(to: time.now.advanced(bySeconds: seconds)) }

        func isKept(_ name: Digest) -> Bool {
            FileManager.default.fileExists(atPath: folder("cache/\(name.hex.prefix(2))/\(name.hex)"))
        }
    }

    @Test func theOldestCopiesGoFirst() async throws {
        let bench = try Bench()
        let store = try bench.store(bytesMax: 3000)
        var names: [Digest] = []
        for index in 0..<4 { names.append(try await store.put([UInt8](repeating: UInt8(index), count: 1000))) }
        for name in names.prefix(3) {
            _ = try await store.localPath(name)
            bench.pass(seconds: 100)
        }
        _ = try await store.localPath(names[0])
        bench.pass(seconds: 100)
        _ = try await store.localPath(names[3])
        #expect(names.map { bench.isKept($0) } == [true, false, true, true])
        #expect(try AtomicFile.read(try await store.localPath(names[1])).first == 1)
        #expect(names.map { bench.isKept($0) } == [true, true, false, true])
    }

    @Test func aCopyJustHandedOutStays() async throws {
        let bench = try Bench()
        let store = try bench.store(bytesMax: 1500)
        let first = try await store.put([UInt8](repeating: 1, count: 1000))
        let second = try await store.put([UInt8](repeating: 2, count: 1000))
        let third = try await store.put([UInt8](repeating: 3, count: 1000))
        _ = try await store.localPath(first)
        _ = try await store.localPath(second)
        #expect(bench.isKept(first) && bench.isKept(second))
        bench.pass(seconds: 61)
        _ = try await store.localPath(third)
        #expect([first, second, third].map { bench.isKept($0) } == [false, false, true])
    }

    @Test func aCopyThatWasChangedIsFetchedAgain() async throws {
        let bench = try Bench()
        let store = try bench.store()
        let name = try await store.put(Array("abc".utf8))
        let path = try await store.localPath(name)
        try AtomicFile.write(path, Array("abd".utf8))
        #expect(try AtomicFile.read(try await store.localPath(name)) == Array("abc".utf8))
        chmod(path, 0o600)
        let handle = try SharedFile(path, O_WRONLY)
        try Array("xyz".utf8).withUnsafeBytes { try handle.file.writeAll($0) }
        #expect(try AtomicFile.read(try await store.localPath(name)) == Array("abc".utf8))
        // Another process finds damage that it did not see happen.
        try AtomicFile.write(path, Array("abe".utf8))
        #expect(try AtomicFile.read(try await bench.store().localPath(name)) == Array("abc".utf8))
    }

    @Test func severalStoresShareAFolder() async throws {
        let bench = try Bench()
        let stores = [try bench.store(), try bench.store(), try bench.store()]
        let bytes = [UInt8](repeating: 9, count: 100_000)
        let name = try await stores[0].put(bytes)
        let paths = try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<60 { group.addTask { try await stores[index % 3].localPath(name) } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(paths.count == 1)
        #expect(try AtomicFile.read(paths.first ?? "") == bytes)
        try await stores[1].delete(name)
        await #expect(throws: StorageFailure.objectNotFound(name)) { try await stores[0].localPath(name) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder("cache/tmp")).isEmpty)
    }

    @Test(arguments: [ObjectEngine.s3, .sealedFile, .sealedS3])
    func aFullDiskIsSaidAndLeavesNothing(_ engine: ObjectEngine) async throws {
        guard SmallDisk.isPermitted else { return }
        let disk = try SmallDisk(kilobytes: 512)
        let folder = try TemporaryFolder()
        let opened = try await engine.store(in: folder)
        let large = try await opened.store.put([UInt8](repeating: 1, count: 1 << 20))
        let small = try await opened.store.put([1, 2, 3])
        let url = opened.url
        let store = try await ObjectStores.open(
            url, cache: "\(disk.path)/cache", sealer: engine.isSealed ? ToySealer() : nil)
        await #expect { try await store.localPath(large) } throws: {
            let code = ($0 as? StorageFailure)?.code
            return code == .resourceExhausted || (engine.isSealed && $0 is CocoaError)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(disk.path)/cache/tmp").isEmpty)
        #expect(try AtomicFile.read(try await store.localPath(small)) == [1, 2, 3])
    }

    /// The cache makes room on a full disk before it gives up.
    @Test func aFullDiskIsClearedOfOldCopies() async throws {
        guard SmallDisk.isPermitted else { return }
        let disk = try SmallDisk(kilobytes: 512)
        let bench = try Bench()
        let store = try bench.store(bytesMax: 1 << 30, root: "\(disk.path)/cache")
        for index in 0..<5 {
            let name = try await store.put([UInt8](repeating: UInt8(index), count: 200 << 10))
            #expect(try AtomicFile.read(try await store.localPath(name)).count == 200 << 10)
            bench.pass(seconds: 100)
        }
    }
}
