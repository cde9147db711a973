import Basics
import Foundation
import Telemetry

/// A key-value store in a Redis server or cluster.
///
/// A key is `namespace:table:` and the key's own bytes. Reads wait for the network on the caller's thread, at most as long
/// as the timeout; while a server is away they fail at once, and work again by themselves when it is back. Changes run one
/// after another on a thread of their own and wait for a server that is away, at most as long as the write timeout.
public final class RedisStore: KeyValueStore {
    /// The oldest server this works with.
    static let oldestVersion = 6
    private static let conflictsMax = 200
    /// Rows and bytes of one turn of `putNewer`: other changes wait for it, and so much fits into the sockets of a
    /// cluster's nodes, which lets them work at the same time.
    private static let rowsInChange = 16_384
    private static let bytesInChange = 4 << 20

    private let servers: RedisServers
    private let settings: RedisSettings
    private let writer = BlockingThread(name: "keyvalue.writer")
    private let checker = BlockingThread(name: "keyvalue.checks")

    private init(_ settings: RedisSettings, metrics: MetricsRegistry?) throws {
        self.settings = settings
        servers = try RedisServers(
            settings, metrics: KeyValueMetrics(metrics, engine: settings.isCluster ? "redis-cluster" : "redis"))
    }

    deinit { servers.end() }

    /// Connects to the server or cluster and asks for its version; see ``KeyValueStores/open(_:metrics:)``.
    /// - Throws: `KeyValueFailure`, `StoreURLFailure`.
    public static func open(_ url: StoreURL, metrics: MetricsRegistry?) async throws -> RedisStore {
        let store = try RedisStore(RedisSettings(url), metrics: metrics)
        try await store.checker.run { try store.greet() }
        return store
    }

    public var isLocal: Bool { false }

    public var isAtomic: Bool { !settings.isCluster }

    public func table(_ name: String) async throws -> KeyValueTable {
        // A colon in a name must not look like the end of another.
        let safe = name.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: ":"): Array("%3A".utf8)
            case UInt8(ascii: "%"): Array("%25".utf8)
            default: [byte]
            }
        }
        return KeyValueTable(name: name, prefix: Array("\(settings.namespace):".utf8) + safe + [UInt8(ascii: ":")])
    }

    @discardableResult
    public func write<Result: Sendable>(
        _ body: @escaping @Sendable (any KeyValueWriting) throws -> Result
    ) async throws -> Result {
        let start = SystemTime.monotonicNanoseconds
        let deadline = RedisServers.deadline(settings.writeMilliseconds)
        return try await writer.run { [self] in
            let result = try change(deadline, body)
            servers.metrics.writes.increment()
            servers.metrics.writeSeconds.observe(nanoseconds: SystemTime.monotonicNanoseconds - start)
            return result
        }
    }

    @discardableResult
    public func putNewer(
        _ batch: KeyValueBatch, in table: KeyValueTable, replacingEqual: Bool
    ) async throws -> KeyValuePutCount {
        var total = KeyValuePutCount()
        for piece in batch.pieces(of: Array(0..<batch.count), rows: Self.rowsInChange, bytes: Self.bytesInChange) {
            let start = SystemTime.monotonicNanoseconds
            total += try await writer.run { [self] in
                let count = try RedisNewer(servers: servers, table: table).put(
                    batch, piece, replacingEqual: replacingEqual,
                    deadline: RedisServers.deadline(settings.writeMilliseconds))
                servers.metrics.count(count, since: start)
                return count
            }
        }
        return total
    }

    public func sweep(
        _ table: KeyValueTable, prefix: [UInt8], olderThan stamp: KeyValueStamp, limit: Int, from position: [UInt8]?
    ) async throws -> KeyValueSweep {
        let limit = min(max(1, limit), 100_000)
        return try await checker.run { [self] in
            try RedisNewer(servers: servers, table: table).sweep(
                prefix: prefix, olderThan: stamp, limit: limit, from: position)
        }
    }

    public func read<Result>(_ body: (any KeyValueReading) throws -> Result) throws -> Result {
        try body(RedisReading(servers: servers))
    }

    public func statistics(_ table: KeyValueTable) throws -> KeyValueStatistics {
        let deadline = RedisServers.deadline(settings.readMilliseconds)
        let memory = try servers.masters(deadline).map { try RedisInfo($0, "memory", servers: servers) }
        func total(_ name: String) -> Int {
            memory.reduce(0) { $0.addingReportingOverflow($1.integer(name) ?? 0).partialValue }
        }
        let limit = total("maxmemory")
        return KeyValueStatistics(
            entries: try RedisScan(servers: servers).keys(table.prefix).count, usedBytes: total("used_memory"),
            mapBytes: limit > 0 ? limit : total("total_system_memory"))
    }

    public func check() async throws -> KeyValueCheck {
        try await checker.run { [self] in try RedisInspection(servers: servers).check() }
    }

    public func close() async throws {
        try await writer.run { [self] in servers.end() }
    }

    private func change<Result>(_ deadline: UInt64, _ body: (any KeyValueWriting) throws -> Result) throws -> Result {
        var conflicts = 0
        var pause: UInt32 = 2500
        while true {
            let change = RedisChange(servers: servers, deadline: deadline)
            defer { change.abandon() }
            do {
                let result = try body(change)
                try change.commit()
                return result
            } catch RedisAgain.conflict {
                conflicts += 1
                guard conflicts < Self.conflictsMax, SystemTime.monotonicNanoseconds < deadline else {
                    throw KeyValueFailure.conflict(store: settings.name, attempts: conflicts)
                }
                usleep(UInt32(min(conflicts, 50)) * 100)
            } catch RedisAgain.passing(let failure) {
                guard SystemTime.monotonicNanoseconds < deadline else { throw failure }
                usleep(pause)
                pause = min(100_000, pause * 2)
            }
        }
    }

    /// Refuses servers that this can not work with.
    private func greet() throws {
        let deadline = RedisServers.deadline(settings.connectMilliseconds)
        for node in try servers.masters(deadline) {
            let info = try RedisInfo(node, "server", servers: servers)
            guard let major = info.major, major >= Self.oldestVersion else {
                throw KeyValueFailure.tooOld(
                    store: settings.name, version: info["redis_version"] ?? "of unknown version",
                    minimum: "\(Self.oldestVersion)")
            }
            guard settings.isCluster || info["redis_mode"] != "cluster" else {
                throw KeyValueFailure.misconfigured(
                    store: settings.name,
                    reason: "it is a node of a cluster, use \(settings.usesTLS ? "rediss" : "redis")+cluster://")
            }
        }
    }
}
