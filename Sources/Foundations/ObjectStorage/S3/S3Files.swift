import Basics
import Foundation
import Telemetry

/// An object of a bucket under a key of its owner's choice.
public struct S3File: Sendable, Hashable {
    public var key: String
    /// Its length; -1 where the service does not tell it.
    public var bytes: Int64
    /// The ETag: another content has another tag.
    public var tag: String

    public init(key: String, bytes: Int64, tag: String) {
        self.key = key
        self.bytes = bytes
        self.tag = tag
    }
}

/// Reads what others have put into a bucket under keys of their own.
public final class S3Files: Sendable {
    private let client: S3Client

    /// Opens the bucket; nothing is sent yet.
    /// - Parameters:
    ///   - url: `s3://bucket/…?endpoint=…&region=…`; what stands after the bucket is not looked at.
    ///   - environment: the process's variables, for those of the AWS tools.
    ///   - time: signs requests.
    ///   - random: spreads the waits between tries.
    ///   - metrics: where requests are counted and timed.
    /// - Throws: `StoreURLFailure`, `StorageFailure.noCredentials`.
    public init(
        _ url: StoreURL, environment: [String: String], time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom(), metrics: MetricsRegistry? = nil
    ) throws {
        let location = try S3Location(url, environment: environment)
        let credentials = try S3Credentials(url, environment: environment, place: location.place)
        client = S3Client(
            location, credentials, time: time, random: random,
            metrics: metrics.map { StorageMetrics($0, engine: "s3") })
    }

    /// `s3://bucket`.
    public var place: String { "s3://\(client.location.bucket)" }

    /// Every object whose key begins so, in the service's order.
    /// - Throws: `StorageFailure`.
    public func list(under prefix: String) async throws -> [S3File] {
        try await client.serve {
            var files: [S3File] = []
            try await S3Listing(client).eachObject(under: prefix) { files.append($0) }
            return files
        }
    }

    /// Writes an object into a file, which is made or emptied first. Memory stays bounded.
    /// - Throws: `StorageFailure`.
    public func download(_ key: String, to path: String) async throws {
        try await client.serve {
            try await client.onDisk {
                let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
                guard descriptor >= 0 else { throw StorageFailure.system("creating", path) }
                Foundation.close(descriptor)
            }
            try await S3Download(client, key: key, name: nil).write(to: path)
        }
    }

    /// Puts bytes under a key, for those who prepare what is read.
    package func upload(_ bytes: [UInt8], to key: String) async throws {
        try await client.serve {
            let upload = try await S3Upload(client, key: key, .bytes(bytes))
            _ = try await upload.run(onlyNew: false)
        }
    }

    /// Lets calls that run come to their end.
    public func close() async { await client.close() }
}
