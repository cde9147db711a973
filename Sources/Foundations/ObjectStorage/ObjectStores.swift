import Basics
import Foundation
import Telemetry

/// Opens the store that an address names: `file:objects`, `file:///var/lib/works/objects` or `s3://bucket/prefix?…`.
public enum ObjectStores {
    /// Opens a store of objects. S3 is not asked anything yet: `check()` does that.
    /// - Parameters:
    ///   - url: the address; a relative path of a file store is taken from the present folder.
    ///   - cache: a folder for local copies, of which there are at most `cache_mb` of the address (10,240); used by S3 and
    ///     sealed stores.
    ///   - sealer: seals what is stored; nil stores it as it is. Local copies in `cache` are never sealed.
    ///   - environment: the process's variables, for those of the AWS tools.
    ///   - metrics: where requests are counted and timed.
    ///   - time: signs requests and tells which local copies are old.
    ///   - random: spreads the waits between tries.
    /// - Throws: `StoreURLFailure`, `StorageFailure`.
    public static func open(
        _ url: StoreURL, cache: String, sealer: (any Sealer)? = nil, environment: [String: String] = [:],
        metrics: MetricsRegistry? = nil, time: any TimeSource = SystemTime(), random: any RandomSource = SystemRandom()
    ) async throws -> any ObjectStore {
        let megabytes = try url.integer("cache_mb", in: 0...1_000_000_000) ?? 10_240
        return try await onThread { () -> any ObjectStore in
            let blobs: any BlobStore
            switch url.scheme {
            case "file":
                let root = try fileRoot(url, allowing: ["cache_mb"])
                guard sealer != nil else { return try FileObjectStore(root: root, metrics: metrics) }
                blobs = try FileBlobStore(root: root, metrics: metrics)
            case "s3":
                blobs = try S3BlobStore(url, environment: environment, time: time, random: random, metrics: metrics)
            default: throw unknown(url)
            }
            let copies = try ObjectCache(root: cache, bytesMax: Int64(megabytes) << 20, time: time)
            guard let sealer else { return CachedObjectStore(blobs, cache: copies) }
            return CachedObjectStore(
                try SealedBlobStore(blobs, sealer: sealer, staging: "\(cache)/tmp"), cache: copies)
        }
    }

    /// Opens a store of small documents; the parameters are those of `open`.
    /// - Throws: `StoreURLFailure`, `StorageFailure`.
    public static func openDocuments(
        _ url: StoreURL, environment: [String: String] = [:], metrics: MetricsRegistry? = nil,
        time: any TimeSource = SystemTime(), random: any RandomSource = SystemRandom()
    ) async throws -> any DocumentStore {
        try await onThread { () -> any DocumentStore in
            switch url.scheme {
            case "file": return try FileDocumentStore(root: "\(try fileRoot(url, allowing: ["cache_mb"]))/documents")
            case "s3":
                return try S3DocumentStore(
                    url, environment: environment, time: time, random: random, metrics: metrics)
            default: throw unknown(url)
            }
        }
    }

    private static func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value
    {
        try await BlockingThread(name: "objects.open").run(body)
    }

    private static func fileRoot(_ url: StoreURL, allowing known: Set<String>) throws -> String {
        try url.allow(known)
        guard url.host == nil || url.host == "localhost", !url.path.isEmpty else {
            throw StoreURLFailure.malformed(
                url.description, reason: "it is not of the form file:folder or file:///folder")
        }
        return url.path
    }

    private static func unknown(_ url: StoreURL) -> StoreURLFailure {
        .unknownScheme(url.description, store: "object", known: ["file", "s3"])
    }
}
