import Basics
import Foundation
import KeyValue
import Synchronization
import TestSupport
import Testing

private struct Refused: Error {}

@Suite struct LMDBStoreTests {
    private func key(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func putGetDeleteAndTables() async throws {
        let folder = try TemporaryFolder()
        let store = try LMDBStore(path: folder("kv"))
        let a = try await store.table("a")
        let b = try await store.table("b")
        #expect(try await store.table("a") == a)
        let one = key("one")
        try await store.write { transaction in
            try transaction.put(one, [1], in: a)
            try transaction.put(one, [], in: b)
            #expect(try transaction.value(one, in: a) == [1])
        }
        #expect(try store.read { try $0.value(one, in: a) } == [1])
        #expect(try store.read { try $0.value(one, in: b) } == [])
        #expect(try store.read { try $0.value(Array("two".utf8), in: a) } == nil)
        #expect(try store.read { try $0.value([], in: a) } == nil)
        #expect(try store.read { try $0.value([UInt8](repeating: 1, count: 5000), in: a) } == nil)
        #expect(try await store.write { try $0.delete(one, in: a) })
        #expect(try await !store.write { try $0.delete(one, in: a) })
        #expect(try store.statistics(a).entries == 0)
        #expect(try store.statistics(b).entries == 1)
        try await store.write { try $0.clear(b) }
        #expect(try store.statistics(b).entries == 0)
    }

    @Test func aFailedChangeLeavesNothing() async throws {
        let folder = try TemporaryFolder()
        let store = try LMDBStore(path: folder("kv"))
        let table = try await store.table("t")
        await #expect(throws: Refused.self) {
            try await store.write { transaction in
                try transaction.put([1], [1], in: table)
                throw Refused()
            }
        }
        for length in [0, 512] {
            await #expect(throws: KeyValueFailure.keyLength(bytes: length, limit: 511)) {
                try await store.write { try $0.put([UInt8](repeating: 1, count: length), [1], in: table) }
            }
        }
        #expect(try store.statistics(table).entries == 0)
    }

    @Test func prefixesComeInOrder() async throws {
        let folder = try TemporaryFolder()
        let store = try LMDBStore(path: folder("kv"))
        let table = try await store.table("t")
        try await store.write { transaction in
            for text in ["b", "ab", "a", "abc", "ac", "\u{10FFFF}", "aa"] {
                try transaction.put(Array(text.utf8), [1], in: table)
            }
        }
        func names(_ prefix: String, _ limit: Int = .max) throws -> [String] {
            try store.read { try $0.entries(prefix: key(prefix), in: table, limit: limit) }
                .map { String(decoding: $0.key, as: UTF8.self) }
        }
        #expect(try names("a") == ["a", "aa", "ab", "abc", "ac"])
        #expect(try names("ab") == ["ab", "abc"])
        #expect(try names("", 2) == ["a", "aa"])
        #expect(try names("x").isEmpty)
        #expect(try names("").count == 7)
    }

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

    @Test func readersSeeWholeChangesOnly() async throws {
        let folder = try TemporaryFolder()
        let store = try LMDBStore(path: folder("kv"), durable: false)
        let table = try await store.table("t")
        try await store.write { transaction in for key in UInt8(0)..<20 { try transaction.put([key], [0], in: table) } }
        let done = Atomic<Bool>(false)
        defer { done.store(true, ordering: .releasing) }
        let torn = Atomic<Int>(0)
        let reading = DispatchGroup()
        for _ in 0..<4 {
            spin(reading) {
                while !done.load(ordering: .acquiring) {
                    let values = try? store.read { transaction in
                        try (UInt8(0)..<20).map { try transaction.value([$0], in: table) }
                    }
                    if Set(values ?? []).count != 1 { torn.add(1, ordering: .relaxed) }
                }
            }
        }
        for round in UInt8(1)...200 {
            try await store.write { transaction in
                for key in UInt8(0)..<20 { try transaction.put([key], [round], in: table) }
            }
        }
        done.store(true, ordering: .releasing)
        await finished(reading)
        #expect(torn.load(ordering: .relaxed) == 0)
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

/// Runs `body` on a thread of its own: one that spins would keep the cooperative pool from working.
private func spin(_ group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
    group.enter()
    Thread {
        body()
        group.leave()
    }.start()
}

private func finished(_ group: DispatchGroup) async {
    await withCheckedContinuation { continuation in group.notify(queue: .global()) { continuation.resume() } }
}
