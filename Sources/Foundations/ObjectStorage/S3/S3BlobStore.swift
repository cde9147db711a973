import Basics
import Foundation
import Telemetry

/// Blobs in a bucket of S3 or of a service that speaks its protocol, under `prefix/sha256/ab/<64 digits>`.
public final class S3BlobStore: BlobStore {
    private let client: S3Client

    /// Opens the store; nothing is sent yet.
    /// - Parameters:
    ///   - url: `s3://bucket/prefix?endpoint=…&region=…&path_style=…`, with `access_key_env`, `secret_key_file` and so on.
    ///   - environment: the process's variables, for those of the AWS tools.
    ///   - time: signs requests.
    ///   - random: spreads the waits between tries.
    ///   - metrics: where requests are counted and timed.
    /// - Throws: `StoreURLFailure`, `StorageFailure.noCredentials`.
    public convenience init(
        _ url: StoreURL, environment: [String: String], time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom(), metrics: MetricsRegistry? = nil
    ) throws {
        let location = try S3Location(url, environment: environment)
        let credentials = try S3Credentials(url, environment: environment, place: location.place)
        self.init(
            S3Client(
                location, credentials, time: time, random: random,
                metrics: metrics.map { StorageMetrics($0, engine: "s3") }))
    }

    init(_ client: S3Client) { self.client = client }

    public var place: String { client.location.place }

    public func put(_ source: BlobSource, as name: Digest, replacing: Bool) async throws {
        let upload = try await S3Upload(client, key: key(name), source)
        if !replacing, upload.size > client.location.limits.singlePutBytes, try await head(name) == upload.size {
            return
        }
        if try await !upload.run(onlyNew: !replacing), try await head(name) != upload.size {
            // What is there has another length, so it is not what it is named by.
            _ = try await upload.run(onlyNew: false)
        }
    }

    public func get(_ name: Digest) async throws -> [UInt8] {
        try await S3Download(client, key: key(name), name: name).bytes()
    }

    public func get(_ name: Digest, into path: String) async throws {
        try await S3Download(client, key: key(name), name: name).write(to: path)
    }

    public func size(_ name: Digest) async throws -> Int64 {
        guard let size = try await head(name) else { throw StorageFailure.objectNotFound(name) }
        return size
    }

    public func contains(_ name: Digest) async throws -> Bool { try await head(name) != nil }

    public func delete(_ name: Digest) async throws {
        var request = S3Request("delete", "DELETE", key: key(name))
        request.accepted = [404]
        let answer = try await client.send(request)
        if answer.status == 404, answer.problem.code == "NoSuchBucket" {
            throw StorageFailure.noBucket(store: "s3://\(client.location.bucket)")
        }
    }

    public func list() async throws -> [Digest] {
        var names: [Digest] = []
        try await S3Listing(client).each(under: "\(client.location.prefix)sha256/") { key in
            let parts = key.split(separator: "/", omittingEmptySubsequences: false)
            if let last = parts.last, let name = Digest(last), self.key(name) == key { names.append(name) }
        }
        return names.sorted()
    }

    public func check() async throws -> StoreReport { try await S3Check(client).run() }

    public func close() async { await client.close() }

    private func key(_ name: Digest) -> String {
        "\(client.location.prefix)sha256/\(name.hex.prefix(2))/\(name.hex)"
    }

    /// The length of a blob, or nil where there is none.
    private func head(_ name: Digest) async throws -> Int64? {
        var request = S3Request("head", "HEAD", key: key(name))
        request.accepted = [404]
        let answer = try await client.send(request)
        if answer.status == 404 { return nil }
        guard let size = answer.headers["content-length"].flatMap({ Int64($0) }), size >= 0 else {
            throw StorageFailure.badAnswer(store: place, action: "looking into", reason: "it tells no length")
        }
        return size
    }
}
