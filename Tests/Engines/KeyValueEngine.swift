import Basics
import Foundation
import KeyValue
import Telemetry
import TestSupport

/// The engines that every suite over a key-value store runs on.
public enum KeyValueEngine: String, CaseIterable, Sendable, CustomStringConvertible {
    case lmdb
    case redis
    case redisTLS
    case redisCluster

    public var description: String { rawValue }

    /// Its name in the list of engines that a whole run must have seen.
    private var listed: String {
        switch self {
        case .lmdb: "lmdb"
        case .redis: "redis"
        case .redisTLS: "redis-tls"
        case .redisCluster: "redis-cluster"
        }
    }

    /// An empty store of the caller's own. Servers are shared by the process of the tests, each store has a namespace.
    public func store(
        in folder: TemporaryFolder, metrics: MetricsRegistry? = nil
    ) async throws -> any KeyValueStore {
        let store = try await KeyValueStores.open(address(in: folder), metrics: metrics)
        if !isAnnounced(listed) { announceEngine(listed, try await store.check().version) }
        return store
    }

    /// The address of an empty store of the caller's own.
    public func address(in folder: TemporaryFolder) async throws -> StoreURL {
        let namespace = "t\(UUID().uuidString.prefix(13))"
        let text =
            switch self {
            case .lmdb: "lmdb:\(folder(namespace))?durable=false"
            case .redis: "redis://127.0.0.1:\(try await RedisEngines.shared.plain().port)/0?namespace=\(namespace)"
            case .redisTLS: try await RedisEngines.shared.secureAddress(namespace)
            case .redisCluster:
                "redis+cluster://127.0.0.1:\(try await RedisEngines.shared.clusterPort())?namespace=\(namespace)"
            }
        return try StoreURL(text, secrets: SecretSource(environment: ["REDIS_PASSWORD": RedisEngines.password]))
    }
}

/// The Redis servers that suites share, started when they are first wanted.
public actor RedisEngines {
    public static let shared = RedisEngines()
    public static let password = "not to be seen"

    private var started: Result<RedisServer, any Error>?
    private var secured: Result<(RedisServer, RedisCertificates), any Error>?
    private var clustered: Result<RedisCluster, any Error>?
    private static let folder: String = {
        let path = NSTemporaryDirectory() + "modelworks-redis-\(getpid())"
        atexit { try? FileManager.default.removeItem(atPath: RedisEngines.folder) }
        return path
    }()

    /// A server of plain TCP without a password.
    public func plain() throws -> RedisServer {
        let result = started ?? Result { try RedisServer(folder: Self.made("plain")) }
        started = result
        return try result.get()
    }

    /// A server of TLS that wants a password and a client's certificate.
    public func secure() throws -> (server: RedisServer, certificates: RedisCertificates) {
        let result =
            secured
            ?? Result {
                let folder = try Self.made("secure")
                let certificates = try RedisCertificates(folder: folder)
                let server = try RedisServer(folder: folder, password: Self.password, certificates: certificates)
                return (server, certificates)
            }
        secured = result
        let (server, certificates) = try result.get()
        return (server, certificates)
    }

    /// Three masters.
    public func cluster() throws -> RedisCluster {
        let result = clustered ?? Result { try RedisCluster(folder: Self.made("cluster")) }
        clustered = result
        return try result.get()
    }

    func clusterPort() throws -> Int { try cluster().servers.first?.port ?? 0 }

    func secureAddress(_ namespace: String) throws -> String {
        let (server, certificates) = try secure()
        return "rediss://127.0.0.1:\(server.port)/3?namespace=\(namespace)&password_env=REDIS_PASSWORD"
            + "&ca=\(certificates.authority)&cert=\(certificates.clientCertificate)"
            + "&client_key_file=\(certificates.clientKey)"
    }

    private static func made(_ name: String) throws -> String {
        let path = "\(folder)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}
