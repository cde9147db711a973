import Basics
import CLMDB
import Engines
import Foundation
import KeyValue
import Synchronization
import TestSupport

/// Reads of 100-byte values by random keys, ours and the engine's own, in turns.
struct KeyValueBench {
    let seconds: Double
    private let count: UInt64 = 100_000
    private let value = [UInt8](repeating: 7, count: 100)
    private let rounds = 5

    /// LMDB: one thread; a read through our interface is a transaction and a look-up, the floor a renewed read-only
    /// transaction and `mdb_get`.
    func lmdb() async throws {
        let folder = try TemporaryFolder()
        let store = try LMDBStore(path: folder("kv"), durable: false)
        let table = try await store.table("t")
        try await fill(store, table)
        var ours: [Double] = []
        var several: [Double] = []
        for _ in 0..<rounds {
            ours.append(try one(store, table))
            several.append(try many(store, table))
        }
        try await store.close()
        let (floor, floorSeveral) = try bare(folder("kv"))
        report("LMDB, one key a read", ours, floor, "renew + mdb_get + reset", target: 0.7)
        report("LMDB, 16 keys a read", several, floorSeveral, "renew + 16 mdb_get + reset", target: 0.7)
    }

    /// Redis: 16 keys in one round trip, against `redis-benchmark -P 16`, with 1 and with 50 connections.
    func redis() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path)
        let address = try StoreURL(
            "redis://127.0.0.1:\(server.port)?pool=64", secrets: SecretSource(environment: [:]))
        let store = try await KeyValueStores.open(address, metrics: nil)
        let table = try await store.table("t")
        try await fill(store, table)
        for clients in [1, 50] {
            var ours: [Double] = []
            var floor: [Double] = []
            for _ in 0..<rounds {
                ours.append(try await onThreads(clients) { try many(store, table) })
                floor.append(try benchmark(server, clients: clients))
            }
            report(
                "Redis, 16 keys a read, \(clients) threads", ours, floor,
                "redis-benchmark -P 16 -c \(clients) -t get -d 100", target: 0.6)
        }
        let single = try await onThreads(1) { try one(store, table) }
        print("Redis, one key a read, 1 thread: \(figure(single)) reads/s")
    }

    private func fill(_ store: any KeyValueStore, _ table: KeyValueTable) async throws {
        try await store.write { [count, value] transaction in
            for index in 0..<count {
                try withUnsafeBytes(of: index.bigEndian) { key in
                    try value.withUnsafeBytes { try transaction.put(key, $0, in: table) }
                }
            }
        }
    }

    /// Reads a second, one key at a time.
    private func one(_ store: any KeyValueStore, _ table: KeyValueTable) throws -> Double {
        try rate { random in
            try withUnsafeBytes(of: (random % count).bigEndian) { key in
                try store.read { try $0.withValue(key, in: table) { value in value?.count ?? 0 } }
            }
        }
    }

    /// Reads a second, 16 keys at a time.
    private func many(_ store: any KeyValueStore, _ table: KeyValueTable) throws -> Double {
        try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 16) { keys in
            try withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 16) { views in
                for index in 0..<16 {
                    views[index] = UnsafeRawBufferPointer(
                        rebasing: UnsafeRawBufferPointer(keys)[index * 8..<index * 8 + 8])
                }
                return try 16
                    * rate { random in
                        for index in 0..<16 { keys[index] = (SplitMix.mix(random &+ UInt64(index)) % count).bigEndian }
                        var bytes = 0
                        try store.read {
                            try $0.withValues(UnsafeBufferPointer(views), in: table) { _, value in
                                bytes += value?.count ?? 0
                            }
                        }
                        return bytes / 16
                    }
            }
        }
    }

    /// The engine alone: reads a second of one key, and of 16 in one transaction.
    private func bare(_ path: String) throws -> (one: [Double], several: [Double]) {
        var environment: OpaquePointer?
        var transaction: OpaquePointer?
        var table: MDB_dbi = 0
        mdb_env_create(&environment)
        mdb_env_set_maxdbs(environment, 128)
        mdb_env_set_mapsize(environment, 1 << 30)
        guard mdb_env_open(environment, path, UInt32(MDB_NOTLS | MDB_NORDAHEAD), 0o644) == 0,
            mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction) == 0,
            mdb_dbi_open(transaction, "t", 0, &table) == 0
        else { throw EngineUnavailable("no bare LMDB") }
        mdb_txn_commit(transaction)
        mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction)
        mdb_txn_reset(transaction)
        defer {
            mdb_txn_abort(transaction)
            mdb_env_close(environment)
        }
        func get(_ random: UInt64) -> Int {
            var key = (random % count).bigEndian
            return withUnsafeMutableBytes(of: &key) { bytes in
                var wanted = MDB_val(mv_size: 8, mv_data: bytes.baseAddress)
                var found = MDB_val()
                return mdb_get(transaction, table, &wanted, &found) == 0 ? found.mv_size : 0
            }
        }
        var one: [Double] = []
        var several: [Double] = []
        for _ in 0..<rounds {
            one.append(
                try rate { random in
                    mdb_txn_renew(transaction)
                    defer { mdb_txn_reset(transaction) }
                    return get(random)
                })
            several.append(
                try 16
                    * rate { random in
                        mdb_txn_renew(transaction)
                        defer { mdb_txn_reset(transaction) }
                        return (0..<16).reduce(0) { $0 + get(SplitMix.mix(random &+ UInt64($1))) } / 16
                    })
        }
        return (one, several)
    }

    /// Calls of `body` in a second; each must answer 100.
    private func rate(_ body: (UInt64) throws -> Int) throws -> Double {
        let start = SystemTime.monotonicNanoseconds
        let end = start + UInt64(seconds * 1e9 / Double(rounds))
        var random = start
        var calls = 0
        var now = start
        while now < end {
            for _ in 0..<64 {
                random = SplitMix.mix(random &+ 1)
                guard try body(random) == 100 else { throw EngineUnavailable("a value is missing") }
            }
            calls += 64
            now = SystemTime.monotonicNanoseconds
        }
        return Double(calls) * 1e9 / Double(now - start)
    }

    /// The sum of the rates of several threads.
    private func onThreads(_ threads: Int, _ body: @escaping @Sendable () throws -> Double) async throws -> Double {
        let sum = Atomic<Int>(0)
        let failures = Atomic<Int>(0)
        let group = DispatchGroup()
        for _ in 0..<threads {
            group.enter()
            Thread {
                do {
                    sum.add(Int(try body()), ordering: .relaxed)
                } catch {
                    failures.add(1, ordering: .relaxed)
                }
                group.leave()
            }.start()
        }
        await withCheckedContinuation { continuation in group.notify(queue: .global()) { continuation.resume() } }
        guard failures.load(ordering: .relaxed) == 0 else { throw EngineUnavailable("reads failed") }
        return Double(sum.load(ordering: .relaxed))
    }

    /// Reads a second by the engine's own tool.
    private func benchmark(_ server: RedisServer, clients: Int) throws -> Double {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "redis-benchmark", "-h", "127.0.0.1", "-p", "\(server.port)", "-P", "16", "-c", "\(clients)", "-t", "get",
            "-d", "100", "-r", "\(count)", "-n", "\(Int(seconds * 200_000))", "--csv",
        ]
        // The tool reads `key:000000000042`; a miss would be cheaper than a read.
        try server.command("EVAL", fillScript, "0", "\(count)", String(decoding: value, as: UTF8.self))
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let line = String(decoding: data, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("\"GET\"") }
        let words = line?.split(separator: ",").map { $0.filter { $0 != "\"" } } ?? []
        guard words.count > 1, let rate = Double(words[1]) else { throw EngineUnavailable("no redis-benchmark") }
        return rate
    }

    private var fillScript: String {
        "for i = 0, ARGV[1] - 1 do redis.call('SET', string.format('key:%012d', i), string.rep('x', 100)) end"
    }

    private func report(_ what: String, _ ours: [Double], _ floor: [Double], _ name: String, target: Double) {
        let (own, other) = (median(ours), median(floor))
        let share = other > 0 ? own / other : 0
        print(
            "\(what): \(figure(own)) reads/s, \(name): \(figure(other)), share \(Int((share * 100).rounded()))%"
                + " (at least \(Int(target * 100))%: \(share >= target ? "yes" : "NO"))")
    }

    private func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    private func figure(_ value: Double) -> String {
        value >= 1e6 ? "\((value / 1e4).rounded() / 100) M" : "\((value / 1e3).rounded()) k"
    }
}
