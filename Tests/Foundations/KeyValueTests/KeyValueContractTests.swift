import Basics
import Engines
import Foundation
import KeyValue
import Synchronization
import Telemetry
import TestSupport
import Testing

private struct Refused: Error {}

/// What every engine promises.
@Suite struct KeyValueContractTests {
    private func key(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(arguments: KeyValueEngine.allCases)
    func putGetDeleteAndTables(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
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

    @Test(arguments: KeyValueEngine.allCases)
    func namesOfTablesDoNotMeet(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        let names = ["a", "a:b", "a%3Ab", "a*", "ü"]
        for (index, name) in names.enumerated() {
            let table = try await store.table(name)
            try await store.write { try $0.put(Array("b:k".utf8), [UInt8(index)], in: table) }
        }
        for (index, name) in names.enumerated() {
            let table = try await store.table(name)
            let entries = try store.read { try $0.entries(prefix: [], in: table) }
            #expect(entries.map(\.key) == [key("b:k")])
            #expect(entries.map(\.value) == [[UInt8(index)]])
        }
        let first = try await store.table("a")
        try await store.write { try $0.clear(first) }
        let second = try await store.table("a:b")
        #expect(try store.read { try $0.value(Array("b:k".utf8), in: second) } == [1])
    }

    @Test(arguments: KeyValueEngine.allCases)
    func aFailedChangeLeavesNothing(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
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

    @Test(arguments: KeyValueEngine.allCases)
    func prefixesComeInOrder(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        let table = try await store.table("t")
        let texts = ["b", "ab", "a", "abc", "ac", "\u{10FFFF}", "aa", "*", "*?[x]\\", "[a]"]
        try await store.write { transaction in
            for text in texts { try transaction.put(Array(text.utf8), [1], in: table) }
            let inside = try transaction.entries(prefix: Array("a".utf8), in: table)
            #expect(inside.map { String(decoding: $0.key, as: UTF8.self) } == ["a", "aa", "ab", "abc", "ac"])
        }
        func names(_ prefix: String, _ limit: Int = .max) throws -> [String] {
            try store.read { try $0.entries(prefix: key(prefix), in: table, limit: limit) }
                .map { String(decoding: $0.key, as: UTF8.self) }
        }
        #expect(try names("a") == ["a", "aa", "ab", "abc", "ac"])
        #expect(try names("ab") == ["ab", "abc"])
        #expect(try names("*") == ["*", "*?[x]\\"])
        #expect(try names("[") == ["[a]"])
        #expect(try names("", 2) == ["*", "*?[x]\\"])
        #expect(try names("x").isEmpty)
        #expect(try names("").count == texts.count)
    }

    @Test(arguments: KeyValueEngine.allCases)
    func severalValuesInOneLookUp(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let metrics = MetricsRegistry()
        let store = try await engine.store(in: folder, metrics: metrics)
        let table = try await store.table("t")
        let keys = (UInt8(0)..<100).map { [$0, 13, 10, 0] }
        try await store.write { transaction in
            for key in keys where key[0] % 3 != 0 { try transaction.put(key, [key[0], 0, 13, 10], in: table) }
        }
        let expected = keys.map { $0[0] % 3 == 0 ? nil : [$0[0], 0, 13, 10] }
        #expect(try store.read { try $0.values(keys, in: table) } == expected)
        #expect(try store.read { try $0.values([], in: table) }.isEmpty)
        #expect(try store.read { try $0.values([[], [1, 13, 10, 0], []], in: table) } == [nil, [1, 0, 13, 10], nil])
        // A change sees its own puts among the others'.
        try await store.write { transaction in
            try transaction.put(keys[0], [7], in: table)
            try transaction.delete(keys[1], in: table)
            let seen = try transaction.values(Array(keys[0..<4]), in: table)
            #expect(seen == [[7], nil, [2, 0, 13, 10], nil])
        }
        #expect(throws: Refused.self) {
            try store.read { try $0.withValues([1], in: table) { throw Refused() } }
        }
        #expect(try store.read { try $0.values([keys[0]], in: table) } == [[7]])
    }

    @Test(arguments: KeyValueEngine.allCases)
    func aLargeChange(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        let table = try await store.table("t")
        let count = engine == .lmdb || engine == .redis ? 100_000 : 10_000
        try await store.write { transaction in
            for index in 0..<count {
                try withUnsafeBytes(of: index.bigEndian) { key in
                    try key.withUnsafeBytes { try transaction.put(key, $0, in: table) }
                }
            }
        }
        let some = (0..<100).map { index in withUnsafeBytes(of: (index * (count / 100)).bigEndian) { [UInt8]($0) } }
        #expect(try store.read { try $0.values(some, in: table) } == some)
        #expect(try store.statistics(table).entries == count)
        let large = [UInt8](repeating: 7, count: 3 << 20)
        try await store.write { transaction in
            try transaction.clear(table)
            for index in UInt8(0)..<4 { try transaction.put([index], large, in: table) }
        }
        #expect(try store.statistics(table).entries == 4)
        #expect(try store.read { try $0.value([3], in: table) } == large)
    }

    @Test(arguments: KeyValueEngine.allCases)
    func clearingInsideAChange(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        let table = try await store.table("t")
        try await store.write { transaction in for key in UInt8(0)..<9 { try transaction.put([key], [1], in: table) } }
        try await store.write { transaction in
            try transaction.put([20], [2], in: table)
            try transaction.clear(table)
            #expect(try transaction.value([20], in: table) == nil)
            #expect(try transaction.value([3], in: table) == nil)
            try transaction.put([3], [3], in: table)
            #expect(try transaction.entries(prefix: [], in: table).map(\.key) == [[3]])
        }
        let left = try store.read { try $0.entries(prefix: [], in: table) }
        #expect(left.map(\.key) == [[3]])
        #expect(left.map(\.value) == [[3]])
    }

    @Test(arguments: KeyValueEngine.allCases)
    func readersSeeWholeChangesOnly(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        // In a cluster keys of one slot change together.
        let table = try await store.table("{t}")
        #expect(store.isAtomic == (engine != .redisCluster))
        let keys = (UInt8(0)..<20).map { [$0] }
        try await store.write { transaction in for key in keys { try transaction.put(key, [0], in: table) } }
        let done = Atomic<Bool>(false)
        defer { done.store(true, ordering: .releasing) }
        let torn = Atomic<Int>(0)
        let reading = DispatchGroup()
        for _ in 0..<4 {
            spin(reading) {
                while !done.load(ordering: .acquiring) {
                    // A cluster answers key by key, so there only a change itself is whole.
                    let values = try? store.read { try $0.values(keys, in: table) }
                    guard let values, !values.contains(nil) else {
                        torn.add(1, ordering: .relaxed)
                        continue
                    }
                    if engine != .redisCluster, Set(values).count != 1 { torn.add(1, ordering: .relaxed) }
                }
            }
        }
        for round in UInt8(1)...100 {
            try await store.write { transaction in
                for key in keys { try transaction.put(key, [round], in: table) }
            }
        }
        done.store(true, ordering: .releasing)
        await finished(reading)
        #expect(torn.load(ordering: .relaxed) == 0)
    }

    @Test(arguments: KeyValueEngine.allCases)
    func countersOfSeveralWritersLoseNothing(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let address = try await engine.address(in: folder)
        // Stores of their own, as processes have them; LMDB allows one for each file.
        var stores = [try await KeyValueStores.open(address, metrics: nil)]
        if engine != .lmdb {
            for _ in 0..<3 { stores.append(try await KeyValueStores.open(address, metrics: nil)) }
        }
        let table = try await stores[0].table("counters")
        let perStore = 100
        try await withThrowingTaskGroup(of: Void.self) { group in
            for store in stores {
                group.addTask {
                    for _ in 0..<perStore {
                        try await store.write { transaction in
                            let old = try transaction.value([1], in: table).map { Int($0[0]) << 8 | Int($0[1]) } ?? 0
                            try transaction.put([1], [UInt8((old + 1) >> 8), UInt8((old + 1) & 255)], in: table)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let expected = perStore * stores.count
        let found = try stores[0].read { try $0.value([1], in: table) }
        #expect(found == [UInt8(expected >> 8), UInt8(expected & 255)])
    }

    @Test(arguments: KeyValueEngine.allCases)
    func countsAndChecks(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let metrics = MetricsRegistry()
        let store = try await engine.store(in: folder, metrics: metrics)
        #expect(store.isLocal == (engine == .lmdb))
        let table = try await store.table("t")
        try await store.write { try $0.put([1], [1], in: table) }
        for _ in 0..<64 { _ = try store.read { try $0.value([1], in: table) } }
        let text = metrics.prometheusText()
        let name = engine == .lmdb ? "lmdb" : engine == .redisCluster ? "redis-cluster" : "redis"
        #expect(text.contains("modelworks_keyvalue_reads_total{engine=\"\(name)\"} 64\n"))
        #expect(text.contains("modelworks_keyvalue_writes_total{engine=\"\(name)\"} 1\n"))
        let check = try await store.check()
        #expect(check.engine == name)
        #expect(check.isUsable, "\(check.findings)")
        #expect(check.latencySeconds > 0 && check.latencySeconds < 1)
        #expect(check.servers == (engine == .lmdb ? 0 : engine == .redisCluster ? 3 : 1))
        #expect(!check.version.isEmpty)
        let statistics = try store.statistics(table)
        #expect(statistics.entries == 1)
        #expect(statistics.usedBytes > 0 && statistics.mapBytes > statistics.usedBytes)
    }

    @Test(arguments: KeyValueEngine.allCases)
    func closedStoresSaySo(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        let table = try await store.table("t")
        try await store.write { try $0.put([1], [1], in: table) }
        _ = try store.read { try $0.value([1], in: table) }
        try await store.close()
        try await store.close()
        func isClosed(_ error: any Error) -> Bool {
            if case .closed = error as? KeyValueFailure { true } else { false }
        }
        #expect { _ = try store.read { try $0.value([1], in: table) } } throws: { isClosed($0) }
        await #expect { try await store.write { try $0.put([1], [1], in: table) } } throws: { isClosed($0) }
        await #expect { _ = try await store.check() } throws: { isClosed($0) }
    }
}

extension KeyValueReading {
    /// Looks one key up and runs `body` with it in hand.
    fileprivate func withValues(_ key: [UInt8], in table: KeyValueTable, _ body: () throws -> Void) throws {
        try key.withUnsafeBytes { view in
            try withUnsafePointer(to: view) { pointer in
                try withValues(UnsafeBufferPointer(start: pointer, count: 1), in: table) { _, _ in try body() }
            }
        }
    }
}

/// Runs `body` on a thread of its own: one that spins would keep the cooperative pool from working.
func spin(_ group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
    group.enter()
    Thread {
        body()
        group.leave()
    }.start()
}

func finished(_ group: DispatchGroup) async {
    await withCheckedContinuation { continuation in group.notify(queue: .global()) { continuation.resume() } }
}
