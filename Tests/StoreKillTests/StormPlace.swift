import Basics
import Engines
import Foundation
import Storms
import TestSupport

/// Where a storm rages: servers of its own, and again and again an empty store on them.
final class StormPlace: Sendable {
    /// One store, empty to begin with.
    struct Store: Sendable {
        let folder: TemporaryFolder
        /// Without its secrets, which stand in `environment`.
        let address: String?
        let environment: [String: String]
        let url: StoreURL?
    }

    private let kind: StormKind
    private let postgres: PostgresServer?
    private let redis: RedisServer?
    private let kafka: KafkaServer?
    private let servers = try? TemporaryFolder()

    /// - Parameter isDurable: whether Redis writes each change to the disk before it acknowledges it.
    init(_ kind: StormKind, isDurable: Bool = true) throws {
        self.kind = kind
        postgres = kind == .postgresql || kind == .postgresqlServer ? try PostgresServer() : nil
        kafka = kind == .kafka ? try KafkaServer() : nil
        if kind == .redis || kind == .redisServer {
            guard let servers else { throw EngineUnavailable("no folder for Redis") }
            redis = try RedisServer(folder: servers.path, isDurable: isDurable)
        } else {
            redis = nil
        }
    }

    deinit {
        postgres?.remove()
        redis?.kill()
    }

    /// An empty store; those before it are dropped where they would slow it down.
    func store(_ number: Int) async throws -> Store {
        let folder = try TemporaryFolder()
        var address: String?
        var environment: [String: String] = [:]
        switch kind {
        case .sqlite: address = "sqlite://\(folder("works.db"))"
        case .postgresql, .postgresqlServer:
            guard let postgres else { break }
            if number > 0 { try postgres.query("DROP SCHEMA IF EXISTS storm\(number - 1) CASCADE") }
            let url = try postgres.url(schema: "storm\(number)", settings: ["sslmode=disable", "pool=2"])
            address = "\(url)&password_env=PASSWORD"
            environment = ["PASSWORD": postgres.password]
        case .file: address = "file://\(folder("store"))"
        case .s3:
            let url = try await S3Server.shared().bucket()
            address = "\(url)&access_key_env=KEY&secret_key_env=SECRET"
            environment = ["KEY": "AKIDTEST", "SECRET": "sesame/+open"]
        case .lmdb: address = "lmdb:\(folder("values"))?durable=true"
        case .redis, .redisServer:
            guard let redis else { break }
            try redis.command("FLUSHALL")
            address = "redis://127.0.0.1:\(redis.port)/0?namespace=storm\(number)"
        case .log: address = "log:\(folder("streams"))?segment_bytes=16384"
        case .kafka:
            guard let kafka else { break }
            try kafka.topic("n\(number).storm", partitions: 2)
            address = "kafka:?brokers=\(kafka.bootstrap)&prefix=n\(number)."
        case .jobs, .records, .archive, .featureStreams, .featureValues: break
        }
        let url = try address.map { try StoreURL($0, secrets: SecretSource(environment: environment)) }
        return Store(folder: folder, address: address, environment: environment, url: url)
    }

    /// Returns when the server has carried out what it was sent before the call, also by clients that are gone.
    func settle() throws { try redis?.command("PING") }

    /// Ends the server at once and starts it again. Blocks until it answers.
    func killServer() throws {
        try postgres?.kill()
        try postgres?.start()
        redis?.kill()
        try redis?.start()
    }
}
