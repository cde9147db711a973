import Basics
import Engines
import Foundation
import KeyValue
import Synchronization
import TestSupport
import Testing

/// Rows put by their stamps while servers die, forget, fill up and move, and while a file grows.
@Suite struct KeyValueNewerFaultTests {
    private static func batch(_ rows: Range<Int>, stamp: Int64, bytes: Int = 8) throws -> KeyValueBatch {
        var batch = KeyValueBatch()
        for row in rows {
            try batch.append(
                key: RedisFaultTests.bytes(row), stamp: KeyValueStamp(stamp, 0),
                payload: [UInt8](repeating: UInt8(truncatingIfNeeded: stamp), count: bytes))
        }
        return batch
    }

    private static func blocking(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await BlockingThread(name: "test").run(body)
    }

    @Test func theMapGrowsInTheMiddleOfABatch() async throws {
        let folder = try TemporaryFolder()
        let store = try LMDBStore(path: folder("kv"), mapSizeBytes: 256 << 10, maximumBytes: 64 << 20, durable: false)
        let table = try await store.table("t")
        for stamp in [1, 2] as [Int64] {
            let count = try await store.putNewer(Self.batch(0..<5000, stamp: stamp, bytes: 1000), in: table)
            #expect(count == KeyValuePutCount(put: 5000, skipped: 0))
        }
        let older = try await store.putNewer(Self.batch(0..<5000, stamp: 1, bytes: 1000), in: table)
        #expect(older == KeyValuePutCount(put: 0, skipped: 5000))
        #expect(try store.statistics(table).entries == 5000)
    }

    @Test func aBatchThatDoesNotFitChangesNothingOfItsLastPart() async throws {
        let folder = try TemporaryFolder()
        let store = try LMDBStore(path: folder("kv"), mapSizeBytes: 256 << 10, maximumBytes: 1 << 20, durable: false)
        let table = try await store.table("t")
        try await store.putNewer(Self.batch(0..<10, stamp: 1), in: table)
        await #expect(throws: KeyValueFailure.mapFull(path: folder("kv"), limitBytes: 1 << 20)) {
            try await store.putNewer(Self.batch(0..<5000, stamp: 2, bytes: 1000), in: table)
        }
        let found = try store.read { try $0.values((0..<10).map { RedisFaultTests.bytes($0) }, in: table) }
        #expect(found.allSatisfy { $0?.last == 1 })
        try await store.putNewer(Self.batch(0..<10, stamp: 3), in: table)
    }

    @Test func aBatchOutlivesTheDeathOfTheServer() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path, isDurable: true)
        let store = try await RedisFaultTests.open(
            server, "timeout_ms=300&connect_timeout_ms=300&write_timeout_ms=60000")
        let table = try await store.table("t")
        let rounds = Atomic<Int>(0)
        let done = Atomic<Bool>(false)
        let writing = Task {
            while !done.load(ordering: .acquiring) {
                let stamp = Int64(rounds.load(ordering: .acquiring) + 1)
                try await store.putNewer(Self.batch(0..<2000, stamp: stamp), in: table)
                try await store.putNewer(Self.batch(0..<2000, stamp: stamp - 1), in: table)
                rounds.add(1, ordering: .acquiringAndReleasing)
            }
        }
        for _ in 0..<3 {
            let before = rounds.load(ordering: .acquiring)
            try await Self.blocking {
                try waitUntil("batches before a kill") { rounds.load(ordering: .acquiring) > before + 3 }
                server.kill()
                try server.start()
            }
        }
        done.store(true, ordering: .releasing)
        try await writing.value
        let last = rounds.load(ordering: .acquiring)
        let found = try store.read { try $0.values((0..<2000).map { RedisFaultTests.bytes($0) }, in: table) }
        #expect(found.allSatisfy { $0?.prefix(16).elementsEqual(KeyValueStamp(Int64(last), 0).bytes) ?? false })
    }

    /// A writer whose server stands still, and which goes on after others have put newer values, does no harm.
    @Test func whoStoodStillPutsNothingOlder() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path)
        let proxy = try CuttingProxy(to: server.port)
        let slow = try await KeyValueStores.open(
            StoreURL(
                "redis://127.0.0.1:\(proxy.port)?write_timeout_ms=30000", secrets: SecretSource(environment: [:])),
            metrics: nil)
        let fast = try await RedisFaultTests.open(server)
        let table = try await fast.table("t")
        for cut in [CuttingProxy.Cut.beforeSending, .beforeAnswer] {
            let (old, new): (Int64, Int64) = cut == .beforeSending ? (1, 2) : (3, 4)
            proxy.cut(cut, at: "works:t:")
            async let stopped = slow.putNewer(Self.batch(0..<3000, stamp: old), in: table)
            try await fast.putNewer(Self.batch(0..<3000, stamp: new), in: table)
            let count = try await stopped
            #expect(count.put + count.skipped == 3000)
            let found = try fast.read { try $0.values((0..<3000).map { RedisFaultTests.bytes($0) }, in: table) }
            #expect(found.allSatisfy { $0?.last == UInt8(new) })
        }
        #expect(proxy.cuts == 2)
    }

    @Test func aServerThatForgotItsScriptsLearnsThemAgain() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path)
        let store = try await RedisFaultTests.open(server)
        let table = try await store.table("t")
        for stamp in 1...3 as ClosedRange<Int64> {
            try server.command("SCRIPT", "FLUSH")
            let count = try await store.putNewer(Self.batch(0..<300, stamp: stamp), in: table)
            #expect(count == KeyValuePutCount(put: 300, skipped: 0))
        }
        // Known by what we call it: no other text went over the wire.
        let before = try server.command("INFO", "commandstats")
        try await store.putNewer(Self.batch(0..<300, stamp: 4), in: table)
        let after = try server.command("INFO", "commandstats")
        func calls(_ text: String) -> Substring? {
            text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_eval:") }?.prefix { $0 != "," }
        }
        #expect(calls(before) != nil && calls(before) == calls(after))
    }

    @Test func rowsExpireOnServersOnly() async throws {
        for engine in KeyValueEngine.allCases {
            let folder = try TemporaryFolder()
            let store = try await engine.store(in: folder)
            let table = try await store.table("t")
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            var batch = KeyValueBatch()
            try batch.append(key: [1], stamp: KeyValueStamp(1, 0), payload: [1], expiresAt: now + 300)
            try batch.append(key: [2], stamp: KeyValueStamp(1, 0), payload: [2], expiresAt: now + 600_000)
            try batch.append(key: [3], stamp: KeyValueStamp(1, 0), payload: [3])
            try batch.append(key: [4], stamp: KeyValueStamp(1, 0), payload: [4], expiresAt: now + 300)
            try batch.append(key: [5], stamp: KeyValueStamp(1, 0), payload: [5], expiresAt: -7)
            #expect(try await store.putNewer(batch, in: table) == KeyValuePutCount(put: 5, skipped: 0))
            // A newer row without an expiry ends the old one's.
            batch.clear()
            try batch.append(key: [4], stamp: KeyValueStamp(2, 0), payload: [44])
            try await store.putNewer(batch, in: table)
            @Sendable func present() throws -> [UInt8] {
                let found = try store.read { try $0.values((1...5).map { [$0] }, in: table) }
                return found.compactMap { $0?.last }
            }
            guard engine != .lmdb else {
                #expect(try present() == [1, 2, 3, 44, 5])
                continue
            }
            try await Self.blocking { try waitUntil("a row of \(engine) expires") { try present() == [2, 3, 44] } }
        }
    }

    @Test func aFullServerIsNamed() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(
            folder: folder.path, settings: ["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"])
        let store = try await RedisFaultTests.open(server)
        let table = try await store.table("t")
        await #expect {
            try await store.putNewer(Self.batch(0..<2000, stamp: 1, bytes: 20_000), in: table)
        } throws: {
            if case .memoryFull = $0 as? KeyValueFailure { true } else { false }
        }
        try await store.write { try $0.clear(table) }
        try await store.putNewer(Self.batch(0..<10, stamp: 1), in: table)
    }

    @Test func aPlaceOfAnotherStoreIsRefused() async throws {
        let folder = try TemporaryFolder()
        let store = try await KeyValueEngine.redis.store(in: folder)
        let table = try await store.table("t")
        for place in ["", "nonsense", "127.0.0.1:1 x", "127.0.0.1:1 1 2"] {
            await #expect {
                _ = try await store.sweep(
                    table, prefix: [], olderThan: KeyValueStamp(1, 0), limit: 10, from: Array(place.utf8))
            } throws: {
                if case .position = $0 as? KeyValueFailure { true } else { false }
            }
        }
    }

    /// While a slot is between two nodes, calls of several of its keys are refused by both.
    @Test func aSlotThatMovesTakesRows() async throws {
        let cluster = try await RedisEngines.shared.cluster()
        let folder = try TemporaryFolder()
        let store = try await KeyValueEngine.redisCluster.store(in: folder)
        let table = try await store.table("t")
        func batch(_ stamp: Int64) throws -> KeyValueBatch {
            var batch = KeyValueBatch()
            for row in 0..<60 {
                try batch.append(
                    key: Array("{halfway}\(row)".utf8), stamp: KeyValueStamp(stamp, 0), payload: [UInt8(stamp)])
            }
            return batch
        }
        try await store.putNewer(batch(1), in: table)
        let answer = try cluster.servers.first?.command("CLUSTER", "KEYSLOT", "halfway")
        let slot = try #require(answer.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
        let source = try #require(try cluster.master(of: slot))
        let target = try #require(cluster.servers.first { $0 !== source })
        try target.command("CLUSTER", "SETSLOT", "\(slot)", "IMPORTING", try cluster.identity(source))
        try source.command("CLUSTER", "SETSLOT", "\(slot)", "MIGRATING", try cluster.identity(target))
        let some = try source.command("CLUSTER", "GETKEYSINSLOT", "\(slot)", "20").split(separator: "\n").map(
            String.init)
        try source.run(["MIGRATE", "127.0.0.1", "\(target.port)", "", "0", "2000", "KEYS"] + some)
        #expect(try await store.putNewer(batch(2), in: table) == KeyValuePutCount(put: 60, skipped: 0))
        #expect(try await store.putNewer(batch(1), in: table) == KeyValuePutCount(put: 0, skipped: 60))
        try RedisFaultTests.move(slot, in: cluster, from: source, to: target)
        let keys = (0..<60).map { Array("{halfway}\($0)".utf8) }
        #expect(try store.read { try $0.values(keys, in: table) }.allSatisfy { $0?.last == 2 })
        #expect(try await store.putNewer(batch(1), in: table) == KeyValuePutCount(put: 0, skipped: 60))
    }
}
