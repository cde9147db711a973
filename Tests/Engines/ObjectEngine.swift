import Basics
import Foundation
import ObjectStorage
import TestSupport

/// The engines that every suite over objects or documents runs on.
public enum ObjectEngine: String, CaseIterable, Sendable, CustomStringConvertible {
    case file
    case s3
    case sealedFile
    case sealedS3

    public var description: String { rawValue }

    public var isSealed: Bool { self == .sealedFile || self == .sealedS3 }

    /// An empty store of the caller's own.
    public func store(in folder: TemporaryFolder, cacheMegabytes: Int? = nil) async throws -> Opened {
        let sealer = isSealed ? ToySealer() : nil
        let cache = folder("cache")
        let settings = cacheMegabytes.map { ["cache_mb=\($0)"] } ?? []
        switch self {
        case .file, .sealedFile:
            announceEngine("file", "of this machine")
            let root = folder("deep/store")
            let url = try StoreURL(
                "file://\(root)" + (settings.isEmpty ? "" : "?" + settings.joined()),
                secrets: SecretSource(environment: [:]))
            let raw = try FileBlobStore(root: root)
            return Opened(
                store: try await ObjectStores.open(url, cache: cache, sealer: sealer), raw: raw, url: url, cache: cache)
        case .s3, .sealedS3:
            let url = try await S3Server.shared().bucket(settings: settings)
            let raw = try S3BlobStore(url, environment: [:])
            return Opened(
                store: try await ObjectStores.open(url, cache: cache, sealer: sealer), raw: raw, url: url, cache: cache)
        }
    }

    /// An empty store of documents of the caller's own.
    public func documents(in folder: TemporaryFolder) async throws -> any DocumentStore {
        switch self {
        case .file, .sealedFile:
            try await ObjectStores.openDocuments(
                StoreURL("file://\(folder("documents"))", secrets: SecretSource(environment: [:])))
        case .s3, .sealedS3: try await ObjectStores.openDocuments(try await S3Server.shared().bucket())
        }
    }

    /// A store and a way past it.
    public struct Opened: Sendable {
        public let store: any ObjectStore
        /// What is stored, as it is stored.
        public let raw: any BlobStore
        public let url: StoreURL
        public let cache: String
    }
}
