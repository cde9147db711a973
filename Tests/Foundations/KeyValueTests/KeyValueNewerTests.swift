import Basics
import Engines
import Foundation
import KeyValue
import Synchronization
import Telemetry
import TestSupport
import Testing

/// Writers of random stamps, and the largest that any of them has put for each key.
private final class Race: Sendable {
    let newest: Mutex<[KeyValueStamp]>
    private let keys: Int

    init(keys: Int) {
        self.keys = keys
        newest = Mutex([KeyValueStamp](repeating: KeyValueStamp(.min, .min), count: keys))
    }

    func run(_ store: any KeyValueStore, _ table: KeyValueTable, seed: UInt64) async throws {
        let random = SeededRandom(seed: seed)
        var batch = KeyValueBatch()
        for _ in 0..<40 {
            batch.clear()
            for _ in 0..<150 {
                let key = Int(random.next() % UInt64(keys))
                let stamp = KeyValueStamp(Int64(random.next() % 5000) - 2500, Int64(random.next() % 3))
                let bytes = withUnsafeBytes(of: key.bigEndian) { [UInt8]($0) }
                try batch.append(key: bytes, stamp: stamp, payload: stamp.bytes)
                newest.withLock { $0[key] = max($0[key], stamp) }
            }
            try await store.putNewer(batch, in: table)
        }
    }
}

/// Rows that replace only what is not newer, on every engine. What they put on shared servers is removed: others walk all
/// keys, and move slots by a tool that takes keys of text only.
@Suite struct KeyValueNewerTests {
    private static func key(_ number: Int) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) } }

    @Test func stampsOrderAsTheirBytesAndNumbersDo() {
        let edges: [Int64] = [.min, .min + 1, -256, -1, 0, 1, 255, 256, 1_700_000_000_000_000, .max - 1, .max]
        let numbers = edges.flatMap { first in edges.map { (first, $0) } }
        for left in numbers {
            let stamp = KeyValueStamp(left.0, left.1)
            #expect(stamp.numbers == left)
            #expect(stamp.bytes.withUnsafeBytes { KeyValueStamp(of: $0) } == stamp)
            for right in numbers {
                let other = KeyValueStamp(right.0, right.1)
                #expect((stamp < other) == (left < right))
                #expect(stamp.bytes.lexicographicallyPrecedes(other.bytes) == (left < right))
            }
        }
        #expect([UInt8](repeating: 0, count: 15).withUnsafeBytes { KeyValueStamp(of: $0) } == nil)
        #expect(KeyValueStamp(high: 1, low: 2).bytes == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2])
    }

    @Test func aRowThatNoEngineHoldsIsRefused() throws {
        var batch = KeyValueBatch()
        try batch.append(key: [1], stamp: KeyValueStamp(1, 1), payload: [])
        for length in [0, 512] {
            #expect(throws: KeyValueFailure.keyLength(bytes: length, limit: 511)) {
                try batch.append(
                    key: [UInt8](repeating: 1, count: length), stamp: KeyValueStamp(1, 1), payload: [1])
            }
        }
        #expect(throws: KeyValueFailure.valueLength(bytes: 15, minimum: 16, limit: 512 << 20)) {
            let (key, value) = ([UInt8](repeating: 1, count: 4), [UInt8](repeating: 1, count: 15))
            try key.withUnsafeBytes { key in try value.withUnsafeBytes { try batch.append(key: key, value: $0) } }
        }
        #expect(batch.count == 1)
        #expect(batch.byteCount == 17)
        batch.clear()
        #expect(batch.isEmpty && batch.byteCount == 0)
    }

    @Test(arguments: KeyValueEngine.allCases)
    func anOlderRowIsSkippedAndAnEqualOneIsPut(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let metrics = MetricsRegistry()
        let store = try await engine.store(in: folder, metrics: metrics)
        let table = try await store.table("t")
        let other = try await store.table("u")
        func put(_ stamp: Int64, _ payload: UInt8, equal: Bool = true) async throws -> KeyValuePutCount {
            var batch = KeyValueBatch()
            try batch.append(key: [7], stamp: KeyValueStamp(stamp, 0), payload: [payload])
            return try await store.putNewer(batch, in: table, replacingEqual: equal)
        }
        func payload() throws -> UInt8? { try store.read { try $0.value([7], in: table) }?.last }
        let (done, left) = (KeyValuePutCount(put: 1, skipped: 0), KeyValuePutCount(put: 0, skipped: 1))
        #expect(try await store.putNewer(KeyValueBatch(), in: table) == KeyValuePutCount())
        #expect(try await put(-5, 1) == done)
        #expect(try await put(-6, 2) == left)
        #expect(try payload() == 1)
        #expect(try await put(-5, 3, equal: false) == left)
        #expect(try payload() == 1)
        #expect(try await put(-5, 4) == done)
        #expect(try payload() == 4)
        #expect(try await put(300, 5) == done)
        #expect(try await put(299, 6) == left)
        #expect(try payload() == 5)
        #expect(try store.read { try $0.value([7], in: other) } == nil)
        // Without a whole stamp it is older than any that has one, whatever its bytes.
        for value in [[], [255], [UInt8](repeating: 255, count: 15)] as [[UInt8]] {
            try await store.write { try $0.put([7], value, in: table) }
            #expect(try await put(-9, 7, equal: false) == done)
            #expect(try payload() == 7)
        }
        try await store.write { try $0.put([7], KeyValueStamp(-9, 1).bytes, in: table) }
        #expect(try await put(-9, 8) == left)
        let text = metrics.prometheusText()
        let name = engine == .lmdb ? "lmdb" : engine == .redisCluster ? "redis-cluster" : "redis"
        #expect(text.contains("modelworks_keyvalue_rows_put_total{engine=\"\(name)\"} 6\n"))
        #expect(text.contains("modelworks_keyvalue_rows_skipped_total{engine=\"\(name)\"} 4\n"))
    }

    @Test(arguments: KeyValueEngine.allCases)
    func everyEngineAgreesWithADictionary(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        let table = try await store.table("t*{x")
        let random = SeededRandom(seed: 41)
        func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
        // Stamps that differ in their first byte, in their last, or in none; bytes beyond 127 order as numbers.
        let numbers: [UInt64] = [0, 1, 127, 128, 255, 1 << 56, 127 << 56, 128 << 56, .max]
        var oracle: [[UInt8]: [UInt8]] = [:]
        var batch = KeyValueBatch()
        for round in 0..<40 {
            batch.clear()
            let replacingEqual = below(2) == 0
            var expected = KeyValuePutCount()
            for _ in 0..<below(300) {
                // Keys of several lengths, one the start of another, of any bytes.
                let key = (0..<1 + below(12)).map { _ in [0, 10, 13, 97, 123, 125, 255][below(7)] as UInt8 }
                    .prefix(below(3) == 0 ? 12 : 2)
                let stamp = KeyValueStamp(high: numbers[below(9)], low: numbers[below(9)])
                let payload = (0..<below(below(20) == 0 ? 6000 : 40)).map { UInt8(truncatingIfNeeded: $0 &+ round) }
                try batch.append(key: Array(key), stamp: stamp, payload: payload)
                let old = oracle[Array(key)].map { Array($0.prefix(16)) }
                if let old, stamp.bytes.lexicographicallyPrecedes(old) || (old == stamp.bytes && !replacingEqual) {
                    expected.skipped += 1
                } else {
                    expected.put += 1
                    oracle[Array(key)] = stamp.bytes + payload
                }
            }
            #expect(try await store.putNewer(batch, in: table, replacingEqual: replacingEqual) == expected, "\(round)")
        }
        let entries = try store.read { try $0.entries(prefix: [], in: table) }
        #expect(entries.count == oracle.count)
        for (key, value) in entries { #expect(value == oracle[key]) }
        try await store.write { try $0.clear(table) }
    }

    @Test(arguments: KeyValueEngine.allCases)
    func writersThatRaceLeaveTheNewest(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let address = try await engine.address(in: folder)
        // Stores of their own, as processes have them; LMDB allows one for each file.
        var stores = [try await KeyValueStores.open(address, metrics: nil)]
        if engine != .lmdb {
            for _ in 0..<3 { stores.append(try await KeyValueStores.open(address, metrics: nil)) }
        }
        let table = try await stores[0].table("t")
        let keys = 100
        let race = Race(keys: keys)
        let fallen = Atomic<Int>(0)
        let done = Atomic<Bool>(false)
        let reading = DispatchGroup()
        let reader = stores[0]
        spin(reading) {
            var seen = [KeyValueStamp?](repeating: nil, count: keys)
            while !done.load(ordering: .acquiring) {
                let found = try? reader.read { try $0.values((0..<keys).map(Self.key), in: table) }
                for (index, value) in (found ?? []).enumerated() {
                    let stamp = value?.withUnsafeBytes { KeyValueStamp(of: $0) }
                    if let before = seen[index], (stamp ?? before) < before || stamp == nil {
                        fallen.add(1, ordering: .relaxed)
                    }
                    seen[index] = stamp
                }
                usleep(200)
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                let store = stores[writer % stores.count]
                group.addTask { try await race.run(store, table, seed: UInt64(writer) + 99) }
            }
            try await group.waitForAll()
        }
        done.store(true, ordering: .releasing)
        await finished(reading)
        #expect(fallen.load(ordering: .relaxed) == 0)
        let found = try stores[0].read { try $0.values((0..<keys).map(Self.key), in: table) }
        let expected = race.newest.withLock { $0.map { $0.bytes + $0.bytes } }
        #expect(found == expected)
        try await stores[0].write { try $0.clear(table) }
    }

    /// More rows than one change of any engine takes, in no order.
    @Test(arguments: KeyValueEngine.allCases)
    func aBatchLargerThanAChangeIsPutWhole(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        let table = try await store.table("t")
        let count = 40_009
        var batch = KeyValueBatch()
        batch.reserve(rows: count, bytes: count * 32)
        for index in 0..<count {
            let row = index * 7919 % count
            try batch.append(key: Self.key(row), stamp: KeyValueStamp(Int64(row), 0), payload: Self.key(row))
        }
        #expect(try await store.putNewer(batch, in: table) == KeyValuePutCount(put: count, skipped: 0))
        let again = try await store.putNewer(batch, in: table, replacingEqual: false)
        #expect(again == KeyValuePutCount(put: 0, skipped: count))
        let rows = Array(stride(from: 0, to: count, by: 7))
        let values = try store.read { try $0.values(rows.map(Self.key), in: table) }
        #expect(values == rows.map { KeyValueStamp(Int64($0), 0).bytes + Self.key($0) })
        try await store.write { try $0.clear(table) }
    }

    @Test(arguments: KeyValueEngine.allCases)
    func aSweepDeletesWhatIsOlderAndNothingElse(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        let table = try await store.table("t")
        let other = try await store.table("u")
        var batch = KeyValueBatch()
        var stamps: [[UInt8]: Int64] = [:]
        let random = SeededRandom(seed: 5)
        for index in 0..<3000 {
            let key = [[97, 98, 255][index % 3] as UInt8] + Self.key(index)
            stamps[key] = Int64(random.next() % 100) - 50
            try batch.append(key: key, stamp: KeyValueStamp(stamps[key] ?? 0, 0), payload: [1])
        }
        try await store.putNewer(batch, in: table)
        try await store.putNewer(batch, in: other)
        try await store.write { try $0.put([98], [0, 0], in: table) }
        // One kind of keys, in small steps.
        var (deleted, examined, steps) = (0, 0, 0)
        var position: [UInt8]?
        repeat {
            let step = try await store.sweep(
                table, prefix: [98], olderThan: KeyValueStamp(10, 0), limit: 70, from: position)
            deleted += step.deleted
            examined += step.examined
            steps += 1
            position = step.next
        } while position != nil
        let old = stamps.filter { $0.key[0] == 98 && $0.value < 10 }
        #expect(deleted == old.count)
        #expect(examined >= 1001)
        #expect(steps >= 15)
        #expect(try store.statistics(table).entries == 3001 - deleted)
        // All that is left, at once; the value without a stamp stays.
        let rest = stamps.filter { old[$0.key] == nil }
        #expect(
            try await store.sweep(table, olderThan: KeyValueStamp(20, 0)) == rest.filter { $0.value < 20 }.count)
        let left = try store.read { try $0.entries(prefix: [], in: table) }
        #expect(Set(left.map(\.key)) == Set(rest.filter { $0.value >= 20 }.keys).union([[98]]))
        #expect(try store.statistics(other).entries == 3000)
        #expect(try await store.sweep(table, prefix: [5], olderThan: KeyValueStamp(.max, 0)) == 0)
        try await store.write {
            try $0.clear(table)
            try $0.clear(other)
        }
    }

    /// A row made newer while the sweep goes on is not deleted.
    @Test(arguments: KeyValueEngine.allCases)
    func aSweepLeavesWhatIsMadeNewerMeanwhile(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        let table = try await store.table("t")
        var (old, new) = (KeyValueBatch(), KeyValueBatch())
        for index in 0..<500 {
            try old.append(key: Self.key(index), stamp: KeyValueStamp(1, 0), payload: [1])
            try new.append(key: Self.key(index), stamp: KeyValueStamp(2, 0), payload: [2])
        }
        try await store.putNewer(old, in: table)
        let sweeping = Task { [store] in
            for _ in 0..<5 { try await store.sweep(table, olderThan: KeyValueStamp(2, 0)) }
        }
        let pieces = new
        try await store.putNewer(pieces, in: table)
        try await sweeping.value
        #expect(try store.statistics(table).entries == 500)
        #expect(try await store.sweep(table, olderThan: KeyValueStamp(2, 0)) == 0)
        try await store.write { try $0.clear(table) }
    }
}
