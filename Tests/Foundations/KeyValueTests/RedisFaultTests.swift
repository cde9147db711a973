import Basics
import Engines
import Foundation
import KeyValue
import Synchronization
import Telemetry
import TestSupport
import Testing

/// Servers that die, hang, fill up and move while they are used.
@Suite struct RedisFaultTests {
    static func open(
        _ server: RedisServer, _ settings: String = "timeout_ms=300&connect_timeout_ms=300&write_timeout_ms=10000",
        metrics: MetricsRegistry? = nil
    ) async throws -> any KeyValueStore {
        try await KeyValueStores.open(
            StoreURL("redis://127.0.0.1:\(server.port)?\(settings)", secrets: SecretSource(environment: [:])),
            metrics: metrics)
    }

    static func bytes(_ number: Int) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) } }

    @Test func whatWasAcknowledgedOutlivesKills() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path, isDurable: true)
        try await outage(server, kills: 3, away: 0.3)
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1", "only with MODELWORKS_SOAK=1"))
    func tenSecondsAwaySoak() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path, isDurable: true)
        try await outage(server, kills: 3, away: 10)
    }

    /// Kills the server again and again under load: no acknowledged change is missing, none is there in part, reads fail
    /// fast while it is away and work again by themselves.
    private func outage(_ server: RedisServer, kills: Int, away: Double) async throws {
        let metrics = MetricsRegistry()
        let store = try await Self.open(
            server, "timeout_ms=300&connect_timeout_ms=300&write_timeout_ms=60000", metrics: metrics)
        let table = try await store.table("t")
        let done = Atomic<Bool>(false)
        let slowest = Atomic<UInt64>(0)
        let failed = Atomic<Int>(0)
        let group = DispatchGroup()
        for _ in 0..<4 {
            spin(group) {
                while !done.load(ordering: .acquiring) {
                    let start = SystemTime.monotonicNanoseconds
                    do {
                        _ = try store.read { try $0.value([1], in: table) }
                    } catch {
                        failed.add(1, ordering: .relaxed)
                        usleep(1000)
                    }
                    slowest.max(SystemTime.monotonicNanoseconds - start, ordering: .relaxed)
                }
            }
        }
        let acknowledged = Atomic<Int>(0)
        let writing = Task {
            var index = 0
            while !done.load(ordering: .acquiring) {
                let value = Self.bytes(index)
                try await store.write { transaction in
                    for part in UInt8(0)..<20 { try transaction.put(value + [part], value, in: table) }
                }
                index += 1
                acknowledged.store(index, ordering: .releasing)
            }
        }
        for _ in 0..<kills {
            let before = acknowledged.load(ordering: .acquiring)
            try await until("changes before a kill") { acknowledged.load(ordering: .acquiring) > before + 20 }
            server.kill()
            let failures = failed.load(ordering: .acquiring)
            try await until("reads that fail") { failed.load(ordering: .acquiring) > failures + 20 }
            try await Task.sleep(for: .seconds(away))
            try await blocking { try server.start() }
        }
        let before = acknowledged.load(ordering: .acquiring)
        try await until("changes after the last start") { acknowledged.load(ordering: .acquiring) > before + 20 }
        done.store(true, ordering: .releasing)
        try await writing.value
        await finished(group)
        for index in 0..<acknowledged.load(ordering: .acquiring) {
            let value = Self.bytes(index)
            let found = try store.read { try $0.values((UInt8(0)..<20).map { value + [$0] }, in: table) }
            #expect(found.allSatisfy { $0 == value }, "change \(index)")
        }
        #expect(slowest.load(ordering: .relaxed) < 1_000_000_000)
        #expect(metrics.prometheusText().contains("reconnects_total{engine=\"redis\"} 0\n") == false)
    }

    @Test func changesAreWholeAfterAKillInTheMiddle() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path, isDurable: true)
        let store = try await Self.open(server, "timeout_ms=300&connect_timeout_ms=300&write_timeout_ms=500")
        let table = try await store.table("t")
        let count = 3000
        var acknowledged: Set<UInt8> = []
        for round in UInt8(0)..<6 {
            let writing = Task {
                try await store.write { transaction in
                    for index in 0..<count { try transaction.put(Self.bytes(index), [round], in: table) }
                }
            }
            try await Task.sleep(for: .milliseconds(5 * Int(round)))
            server.kill()
            do {
                try await writing.value
                acknowledged = [round]
            } catch {
                acknowledged.insert(round)
            }
            try await blocking { try server.start() }
            try await until("a read") { (try? store.read { try $0.values([[1]], in: table) }) != nil }
            let all = (0..<count).map { Self.bytes($0) }
            let found = Set(try store.read { try $0.values(all, in: table) })
            #expect(found.count == 1, "round \(round)")
            // The last acknowledged change or one in doubt after it; nil where none was acknowledged yet.
            if case .some(.some(let value)) = found.first {
                #expect(acknowledged.contains(value[0]), "round \(round)")
            } else {
                #expect(acknowledged.count == Int(round) + 1, "round \(round)")
            }
        }
    }

    @Test func aFrozenServerCostsOneTimeoutNotOneEach() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path)
        let store = try await Self.open(server)
        let table = try await store.table("t")
        try await store.write { try $0.put([1], [1], in: table) }
        _ = try store.read { try $0.value([1], in: table) }
        server.freeze()
        defer { server.thaw() }
        try await blocking {
            let start = SystemTime.monotonicNanoseconds
            #expect(throws: KeyValueFailure.self) { _ = try store.read { try $0.value([1], in: table) } }
            #expect(SystemTime.monotonicNanoseconds - start < 600_000_000)
            let second = SystemTime.monotonicNanoseconds
            for _ in 0..<5000 { _ = try? store.read { try $0.value([1], in: table) } }
            #expect(SystemTime.monotonicNanoseconds - second < 2_000_000_000)
            server.thaw()
            try waitUntil("a read", within: 5) { (try? store.read { try $0.value([1], in: table) }) == [1] }
        }
    }

    @Test func aChangeThatReadIsInDoubtAndOneThatDidNotIsMadeAgain() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path, isDurable: true)
        let store = try await Self.open(server)
        let table = try await store.table("t")
        let runs = Atomic<Int>(0)
        try await store.write { transaction in
            try transaction.put([1], [1], in: table)
            if runs.add(1, ordering: .relaxed).newValue == 1 {
                server.kill()
                try server.start()
            }
        }
        #expect(try store.read { try $0.value([1], in: table) } == [1])
        await #expect {
            try await store.write { transaction in
                _ = try transaction.value([1], in: table)
                try transaction.put([1], [2], in: table)
                server.kill()
                try server.start()
            }
        } throws: {
            if case .inDoubt = $0 as? KeyValueFailure { true } else { false }
        }
        // Lost before anything was changed: begun again.
        let second = Atomic<Int>(0)
        try await store.write { transaction in
            _ = try transaction.value([1], in: table)
            if second.add(1, ordering: .relaxed).newValue == 1 {
                server.kill()
                try server.start()
            }
            _ = try transaction.value([2], in: table)
            try transaction.put([1], [3], in: table)
        }
        #expect(second.load(ordering: .relaxed) == 2)
        #expect(try store.read { try $0.value([1], in: table) } == [3])
    }

    @Test func aFullServerMakesNothingOfAChange() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(
            folder: folder.path, settings: ["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"])
        let store = try await Self.open(server)
        let table = try await store.table("t")
        await #expect {
            try await store.write { transaction in
                for index in 0..<200 {
                    try transaction.put(Self.bytes(index), [UInt8](repeating: 1, count: 50_000), in: table)
                }
            }
        } throws: {
            if case .memoryFull = $0 as? KeyValueFailure { true } else { false }
        }
        #expect(try store.statistics(table).entries == 0)
        try await store.write { try $0.put([1], [1], in: table) }
        try server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        let check = try await store.check()
        #expect(check.isUsable)
        #expect(check.findings.contains { $0.message.contains("allkeys-lru") })
    }

    @Test func aReplyLargerThanTheLimit() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path)
        let store = try await Self.open(server, "reply_limit_mb=1")
        let table = try await store.table("t")
        try await store.write { transaction in
            try transaction.put([1], [UInt8](repeating: 1, count: 2 << 20), in: table)
            try transaction.put([2], [2], in: table)
        }
        #expect {
            _ = try store.read { try $0.value([1], in: table) }
        } throws: {
            if case .replyTooLarge(_, 1 << 20) = $0 as? KeyValueFailure { true } else { false }
        }
        #expect(try store.read { try $0.value([2], in: table) } == [2])
    }

    @Test func aSlotMovesWhileItIsReadAndWritten() async throws {
        let cluster = try await RedisEngines.shared.cluster()
        let folder = try TemporaryFolder()
        let metrics = MetricsRegistry()
        let store = try await KeyValueEngine.redisCluster.store(in: folder, metrics: metrics)
        let table = try await store.table("t")
        // The tag puts all of them into one slot.
        let keys = (0..<50).map { Array("{moving}\($0)".utf8) }
        let answer = try cluster.servers.first?.command("CLUSTER", "KEYSLOT", "moving")
        let slot = try #require(answer.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
        try await store.write { transaction in for key in keys { try transaction.put(key, [0], in: table) } }
        let done = Atomic<Bool>(false)
        let wrong = Atomic<Int>(0)
        let reading = DispatchGroup()
        for _ in 0..<2 {
            spin(reading) {
                while !done.load(ordering: .acquiring) {
                    let found = try? store.read { try $0.values(keys, in: table) }
                    if found == nil || found?.contains(nil) ?? true { wrong.add(1, ordering: .relaxed) }
                }
            }
        }
        let increments = Task {
            var count = 0
            while !done.load(ordering: .acquiring) {
                let key = keys[count % keys.count]
                try await store.write { transaction in
                    let old = try transaction.value(key, in: table)?.first ?? 0
                    try transaction.put(key, [old &+ 1], in: table)
                }
                count += 1
            }
            return count
        }
        try await blocking { for _ in 0..<3 { try Self.move(slot, in: cluster) } }
        done.store(true, ordering: .releasing)
        let count = try await increments.value
        await finished(reading)
        #expect(wrong.load(ordering: .relaxed) == 0)
        let found = try store.read { try $0.values(keys, in: table) }
        for (index, value) in found.enumerated() {
            let expected = count / keys.count + (index < count % keys.count ? 1 : 0)
            #expect(value == [UInt8(truncatingIfNeeded: expected)])
        }
        #expect(!metrics.prometheusText().contains("redirects_total{engine=\"redis-cluster\"} 0\n"))
    }

    @Test func aMasterAwayHurtsOnlyItsOwnKeysAndComesBack() async throws {
        let cluster = try await RedisEngines.shared.cluster()
        let folder = try TemporaryFolder()
        let address = try await KeyValueEngine.redisCluster.address(in: folder)
        let store = try await KeyValueStores.open(address, metrics: nil)
        let table = try await store.table("t")
        let keys = (0..<100).map { Self.bytes($0) }
        try await store.write { transaction in for key in keys { try transaction.put(key, [1], in: table) } }
        let victim = try #require(cluster.servers.last)
        victim.kill()
        let present = keys.filter { key in (try? store.read { try $0.value(key, in: table) }) == [1] }
        #expect(present.count > 30 && present.count < 90)
        try await blocking {
            try victim.start()
            try waitUntil("a whole cluster", within: 20) {
                try cluster.servers.allSatisfy { try $0.command("CLUSTER", "INFO").contains("cluster_state:ok") }
            }
        }
        // The victim kept nothing on disk; the others did not move.
        try await store.write { transaction in for key in keys { try transaction.put(key, [2], in: table) } }
        #expect(try store.read { try $0.values(keys, in: table) } == keys.map { _ in [2] })
    }

    /// Moves a slot with its keys from its master to another, key by key.
    private static func move(_ slot: Int, in cluster: RedisCluster) throws {
        guard let source = try cluster.master(of: slot),
            let target = cluster.servers.first(where: { $0 !== source })
        else { throw EngineUnavailable("slot \(slot) has no master") }
        try target.command("CLUSTER", "SETSLOT", "\(slot)", "IMPORTING", try cluster.identity(source))
        try source.command("CLUSTER", "SETSLOT", "\(slot)", "MIGRATING", try cluster.identity(target))
        try move(slot, in: cluster, from: source, to: target)
    }

    /// Moves what is left of a slot that is on its way.
    static func move(_ slot: Int, in cluster: RedisCluster, from source: RedisServer, to target: RedisServer) throws {
        while true {
            let keys = try source.command("CLUSTER", "GETKEYSINSLOT", "\(slot)", "2")
                .split(separator: "\n").map(String.init).filter { !$0.isEmpty }
            if keys.isEmpty { break }
            try source.run(["MIGRATE", "127.0.0.1", "\(target.port)", "", "0", "2000", "KEYS"] + keys)
        }
        let owner = try cluster.identity(target)
        try target.command("CLUSTER", "SETSLOT", "\(slot)", "NODE", owner)
        for server in cluster.servers where server !== target {
            try server.command("CLUSTER", "SETSLOT", "\(slot)", "NODE", owner)
        }
    }

    /// Waits without holding a thread of the cooperative pool.
    private func until(_ what: String, _ condition: @escaping @Sendable () -> Bool) async throws {
        try await blocking { try waitUntil(what, condition) }
    }

    /// Runs what blocks on a thread of its own.
    private func blocking(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await BlockingThread(name: "test").run(body)
    }
}
