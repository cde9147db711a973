import Basics
import Telemetry

/// Opens key-value stores by their addresses.
public enum KeyValueStores {
    /// The schemes that ``open(_:metrics:)`` knows.
    public static let schemes = ["lmdb"] + RedisSettings.schemes

    /// Opens the store at an address.
    ///
    /// - `lmdb:PATH` with `durable` (true where not set), `map_mb` (address space to begin with) and `max_map_mb`.
    /// - `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, `rediss://` over TLS, `redis+cluster://` and
    ///   `rediss+cluster://` for a cluster, with `namespace`, `pool`, `connect_timeout_ms`, `timeout_ms`,
    ///   `write_timeout_ms`, `reply_limit_mb`; for TLS `ca`, `cert` (files) and `client_key_file` or `client_key_env`; for
    ///   a cluster `seeds=HOST:PORT,…`.
    ///
    /// - Parameter metrics: where the store is counted; nil for nowhere.
    /// - Throws: `KeyValueFailure`, `StoreURLFailure`. A server that is away, too old or refuses us is told at once.
    public static func open(_ url: StoreURL, metrics: MetricsRegistry?) async throws -> any KeyValueStore {
        switch url.scheme {
        case "lmdb":
            try url.allow(["durable", "map_mb", "max_map_mb"])
            guard url.host == nil, !url.path.isEmpty else {
                throw StoreURLFailure.malformed(url.description, reason: "it must be of the form lmdb:PATH")
            }
            return try LMDBStore(
                path: url.path, mapSizeBytes: (url.integer("map_mb", in: 1...(1 << 20)) ?? 1 << 10) << 20,
                maximumBytes: (url.integer("max_map_mb", in: 1...(1 << 24)) ?? 1 << 20) << 20,
                durable: url.flag("durable") ?? true, metrics: metrics)
        case let scheme where RedisSettings.schemes.contains(scheme):
            return try await RedisStore.open(url, metrics: metrics)
        default:
            throw StoreURLFailure.unknownScheme(url.description, store: "key-value", known: schemes)
        }
    }
}
