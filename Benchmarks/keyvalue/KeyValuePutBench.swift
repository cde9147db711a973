import Basics
import Engines
import Foundation
import KeyValue
import Synchronization
import TestSupport

/// A million rows of 20-byte keys and 120-byte values put by `putNewer` in random order, while a thread reads.
struct KeyValuePutBench {
    let rows: Int
    let batchRows: Int

    func lmdb() async throws {
        for durable in [false, true] {
            let folder = try TemporaryFolder()
            let store = try LMDBStore(path: folder("kv"), durable: durable)
            try await passes(store, "LMDB, \(durable ? "durable" : "not durable")", target: 600_000)
            try await store.close()
        }
    }

    func redis() async throws {
        let folder = try TemporaryFolder()
        let server = try RedisServer(folder: folder.path)
        let address = "redis://127.0.0.1:\(server.port)?pool=64"
        let store = try await KeyValueStores.open(
            StoreURL(address, secrets: SecretSource(environment: [:])), metrics: nil)
        try await passes(store, "Redis", target: 150_000)
        try await passes(store, "Redis, rows that expire", expiresAt: 4_102_444_800_000, target: 150_000)
        try await store.close()
    }

    /// Three masters; the rows lie in all slots, or in one.
    func cluster() async throws {
        let folder = try TemporaryFolder()
        let cluster = try RedisCluster(folder: folder.path)
        guard let port = cluster.servers.first?.port else { return }
        for namespace in ["works", "{works}"] {
            let store = try await KeyValueStores.open(
                StoreURL(
                    "redis+cluster://127.0.0.1:\(port)?namespace=\(namespace)",
                    secrets: SecretSource(environment: [:])),
                metrics: nil)
            try await passes(store, "Redis cluster, namespace \(namespace)", target: 0)
            try await store.close()
        }
    }

    private func passes(
        _ store: any KeyValueStore, _ name: String, expiresAt: Int64? = nil, target: Double
    ) async throws {
        let table = try await store.table("t\(expiresAt == nil ? "" : "x")")
        try await pass(store, table, "\(name), first", expiresAt, stamp: 1, put: true, target: target)
        try await pass(store, table, "\(name), newer", expiresAt, stamp: 3, put: true, target: target)
        try await pass(store, table, "\(name), again", expiresAt, stamp: 3, put: true, target: target)
        try await pass(store, table, "\(name), older", expiresAt, stamp: 2, put: false, target: target)
        try await pass(
            store, table, "\(name), newer by key", expiresAt, stamp: 4, put: true, sorted: true, target: target)
    }

    private func pass(
        _ store: any KeyValueStore, _ table: KeyValueTable, _ name: String, _ expiresAt: Int64?, stamp: Int64,
        put: Bool, sorted: Bool = false, target: Double
    ) async throws {
        let reader = Reader(store: store, table: table, rows: rows)
        reader.start()
        let start = SystemTime.monotonicNanoseconds
        let began = clock()
        var batch = KeyValueBatch()
        var count = KeyValuePutCount()
        let payload = [UInt8](repeating: 7, count: 104)
        var inside: UInt64 = 0
        for index in 0..<rows {
            // A step that has no common factor with the count visits each row once, in no order.
            let row = sorted ? index : (index &* 7_368_787 &+ 12_345) % rows
            try withUnsafeBytes(of: Reader.key(row)) { key in
                try payload.withUnsafeBytes {
                    try batch.append(key: key, stamp: KeyValueStamp(stamp, 0), payload: $0, expiresAt: expiresAt)
                }
            }
            guard batch.count == batchRows || index == rows - 1 else { continue }
            let before = SystemTime.monotonicNanoseconds
            count += try await store.putNewer(batch, in: table)
            inside += SystemTime.monotonicNanoseconds - before
            batch.clear()
        }
        let seconds = Double(SystemTime.monotonicNanoseconds - start) * 1e-9
        let processor = Double(clock() - began) / Double(CLOCKS_PER_SEC)
        let latencies = await reader.stop()
        guard count == KeyValuePutCount(put: put ? rows : 0, skipped: put ? 0 : rows) else {
            throw EngineUnavailable("\(count) of \(rows) rows")
        }
        let rate = Double(rows) / seconds
        func micro(_ share: Double) -> Int {
            latencies.isEmpty ? 0 : Int(latencies[Int(Double(latencies.count - 1) * share)] / 1000)
        }
        print(
            "\(name): \(Int(rate / 1000)) k rows/s (\(Int(Double(rows) / Double(inside) * 1e6)) k in the store,"
                + " \(Int(processor / Double(rows) * 1e9)) ns of our processor time a row);"
                + " \(latencies.count) reads of 16: p50 \(micro(0.5)) us, p99 \(micro(0.99)) us, most \(micro(1)) us"
                + (target > 0 ? " (at least \(Int(target / 1000)) k: \(rate >= target ? "yes" : "NO"))" : ""))
    }
}

/// Reads 16 random keys about every 300 microseconds and keeps the times.
private final class Reader: Sendable {
    private let store: any KeyValueStore
    private let table: KeyValueTable
    private let rows: Int
    private let done = Atomic<Bool>(false)
    private let group = DispatchGroup()
    private let times = Mutex<[UInt64]>([])

    init(store: any KeyValueStore, table: KeyValueTable, rows: Int) {
        self.store = store
        self.table = table
        self.rows = rows
    }

    /// 20 bytes: what all have in common, then the row's number.
    static func key(_ row: Int) -> (UInt64, UInt64, UInt32) {
        (
            UInt64(0x6665_6174_7572_6573).bigEndian, UInt64(row >> 32).bigEndian,
            UInt32(truncatingIfNeeded: row).bigEndian
        )
    }

    func start() {
        group.enter()
        Thread { [self] in
            var random = SystemTime.monotonicNanoseconds
            while !done.load(ordering: .acquiring) {
                let keys = (0..<16).map { _ in
                    random = SplitMix.mix(random &+ 1)
                    return withUnsafeBytes(of: Self.key(Int(random % UInt64(rows)))) { [UInt8]($0) }
                }
                let start = SystemTime.monotonicNanoseconds
                _ = try? store.read { try $0.values(keys, in: table) }
                let time = SystemTime.monotonicNanoseconds - start
                times.withLock { $0.append(time) }
                usleep(300)
            }
            group.leave()
        }.start()
    }

    /// The times in ascending order.
    func stop() async -> [UInt64] {
        done.store(true, ordering: .releasing)
        await withCheckedContinuation { continuation in group.notify(queue: .global()) { continuation.resume() } }
        return times.withLock { $0.sorted() }
    }
}
