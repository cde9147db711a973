import Basics
import Foundation
import ObjectStorage
import TestSupport

/// Every engine that a factory can grow into, started together: PostgreSQL, S3, Redis and Kafka.
public final class EngineSet: Sendable {
    public let postgres: PostgresServer
    public let s3: S3Server
    public let redis: RedisServer
    public let kafka: KafkaServer
    private let folder: TemporaryFolder
    private let bucket: String

    /// The bucket that holds the objects of every factory.
    public var bucketName: String { bucket }

    /// Starts them all; takes a few seconds.
    public init() throws {
        folder = try TemporaryFolder()
        postgres = try PostgresServer()
        s3 = try S3Server()
        redis = try RedisServer(folder: folder.path, password: "only for tests", isDurable: true)
        kafka = try KafkaServer()
        bucket = try s3.bucket().host ?? ""
    }

    /// What names these stores to a `modelworks`, for a factory of its own.
    /// - Parameter factory: tells factories on the same engines apart.
    public func environment(for factory: String) -> [String: String] {
        [
            "MODELWORKS_SQL":
                "postgresql://works@127.0.0.1:\(postgres.port)/works?schema=\(factory)&sslmode=disable"
                + "&password_env=ENGINES_PASSWORD",
            "MODELWORKS_OBJECTS":
                "s3://\(bucket)/\(factory)?endpoint=\(s3.endpoint)&access_key_env=ENGINES_KEY"
                + "&secret_key_env=ENGINES_SECRET",
            "MODELWORKS_ONLINE": "redis://127.0.0.1:\(redis.port)?namespace=\(factory)&password_env=ENGINES_PASSWORD",
            "MODELWORKS_STREAMS": "kafka:?brokers=\(kafka.bootstrap)&prefix=\(factory).&session_timeout_ms=3600",
            "ENGINES_PASSWORD": postgres.password, "ENGINES_KEY": "AKIDTEST", "ENGINES_SECRET": "sesame/+open",
        ]
    }

    /// Stops what does not stop by itself.
    public func end() {
        postgres.remove()
        redis.kill()
        s3.end()
    }
}
