import Basics
import Foundation
import KeyValue
import Synchronization
import TestSupport
import Testing

@Suite struct LMDBStoreTests {
    @Test func contentOutlivesTheStore() async throws {
        let folder = try TemporaryFolder()
        for durable in [true, false] {
            let path = folder("kv-\(durable)")
            do {
                let store = try LMDBStore(path: path, durable: durable)
                let table = try await store.table("t")
                try await store.write { try $0.put([1], [2], in: table) }
                _ = try store.read { try $0.value([1], in: table) }
                try await store.sync()
            }
            let store = try LMDBStore(path: path, durable: durable)
            let table = try await store.table("t")
            #expect(try store.read { try $0.value([1], in: table) } == [2])
        }
    }

    @Test func theMapGrowsUnderReadersUpToItsLimit() async throws {
        let folder = try TemporaryFolder()
        let store = try LMDBStore(path: folder("kv"), mapSizeBytes: 128 << 10, maximumBytes: 4 << 20, durable: false)
        let table = try await store.table("t")
        try await store.write { try $0.put([0], [9], in: table) }
        let done = Atomic<Bool>(false)
        defer { done.store(true, ordering: .releasing) }
        let wrong = Atomic<Int>(0)
        let reading = DispatchGroup()
        for _ in 0..<4 {
            spin(reading) {
                while !done.load(ordering: .acquiring) {
                    if (try? store.read { try $0.value([0], in: table) }) != [9] { wrong.add(1, ordering: .relaxed) }
                }
            }
        }
        var stored = 0
        await #expect(throws: KeyValueFailure.mapFull(path: folder("kv"), limitBytes: 4 << 20)) {
            for index in 1...2000 {
                let key = withUnsafeBytes(of: index) { [UInt8]($0) }
                try await store.write { try $0.put(key, [UInt8](repeating: 1, count: 3000), in: table) }
                stored = index
            }
        }
        done.store(true, ordering: .releasing)
        await finished(reading)
        #expect(wrong.load(ordering: .relaxed) == 0)
        // The map to begin with has 32 pages, and each of these values needs one of its own.
        #expect(stored > 64)
        let statistics = try store.statistics(table)
        #expect(statistics.mapBytes == 4 << 20)
        #expect(statistics.entries == stored + 1)
        try await store.write { try $0.clear(table) }
        try await store.write { try $0.put([1], [1], in: table) }
    }

    @Test func folderThatCanNotBeMadeIsNamed() throws {
        let folder = try TemporaryFolder()
        #expect { _ = try LMDBStore(path: folder("none/kv")) } throws: {
            ($0 as? KeyValueFailure)?.code == .failedPrecondition
        }
    }

    @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs is not permitted"))
    func aFullDiskIsNamedAndLeavesTheStoreUsable() async throws {
        let disk = try SmallDisk(kilobytes: 256)
        let store = try LMDBStore(path: "\(disk.path)/kv")
        let table = try await store.table("t")
        try await store.write { try $0.put([1], [1], in: table) }
        await #expect(throws: KeyValueFailure.diskFull(path: "\(disk.path)/kv")) {
            try await store.write { try $0.put([2], [UInt8](repeating: 1, count: 1 << 20), in: table) }
        }
        try await store.write { try $0.put([3], [3], in: table) }
        #expect(try store.read { try $0.value([1], in: table) } == [1])
        #expect(try store.read { try $0.value([2], in: table) } == nil)
        #expect(try store.read { try $0.value([3], in: table) } == [3])
    }
}
