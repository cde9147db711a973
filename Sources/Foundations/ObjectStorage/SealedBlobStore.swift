import Basics
import Foundation

/// Seals every blob before another store gets it. Names stay those of the bytes inside, so what a name tells stays:
/// whoever has the same bytes can find out that they are stored.
public final class SealedBlobStore: BlobStore {
    private let inner: any BlobStore
    private let sealer: any Sealer
    private let staging: String
    private let threads = StorageThreads(name: "sealing", count: 2)

    /// - Parameters:
    ///   - inner: gets sealed bytes only; closed with this store.
    ///   - sealer: seals and opens.
    ///   - staging: a folder for sealed forms of files on their way; made when missing.
    /// - Throws: `StorageFailure`.
    public init(_ inner: any BlobStore, sealer: any Sealer, staging: String) throws {
        self.inner = inner
        self.sealer = sealer
        self.staging = staging
        try Folder.make(staging)
        try StagedFile.removeLeftovers(in: staging)
    }

    public var place: String { inner.place }

    public func put(_ source: BlobSource, as name: Digest, replacing: Bool) async throws {
        // Sealed anew, the same bytes differ: only looking tells whether the blob is there.
        if !replacing, try await inner.contains(name) { return }
        let sealer = sealer
        switch source {
        case .bytes(let bytes):
            let sealed = try await threads.run { try sealer.seal(bytes) }
            try await inner.put(.bytes(sealed), as: name, replacing: replacing)
        case .file(let path):
            let sealed = try await stage()
            defer { sealed.discard() }
            try await threads.run { try sealer.seal(file: path, into: sealed.path) }
            try await inner.put(.file(sealed.path), as: name, replacing: replacing)
        }
    }

    public func get(_ name: Digest) async throws -> [UInt8] {
        let (sealed, sealer) = (try await inner.get(name), sealer)
        return try await threads.run { try sealer.open(sealed) }
    }

    public func get(_ name: Digest, into path: String) async throws {
        let (sealed, sealer) = (try await stage(), sealer)
        defer { sealed.discard() }
        try await inner.get(name, into: sealed.path)
        try await threads.run { try sealer.open(file: sealed.path, into: path) }
    }

    public func size(_ name: Digest) async throws -> Int64 {
        if let size = sealer.openedSize(ofSealed: try await inner.size(name)) { return size }
        let (sealed, sealer) = (try await stage(), sealer)
        defer { sealed.discard() }
        let opened = try await stage()
        defer { opened.discard() }
        try await inner.get(name, into: sealed.path)
        return try await threads.run {
            try sealer.open(file: sealed.path, into: opened.path)
            return Int64(try OpenFile(opened.path, O_RDONLY).status().st_size)
        }
    }

    public func contains(_ name: Digest) async throws -> Bool { try await inner.contains(name) }

    public func delete(_ name: Digest) async throws { try await inner.delete(name) }

    public func list() async throws -> [Digest] { try await inner.list() }

    public func check() async throws -> StoreReport {
        let sealer = sealer
        let probe = Array("probe".utf8)
        let opened = try await threads.run { try sealer.open(try sealer.seal(probe)) }
        guard opened == probe else {
            throw StorageFailure.damaged(path: place, offset: 0, reason: "what was sealed is not what is opened")
        }
        return try await inner.check()
    }

    public func close() async { await inner.close() }

    private func stage() async throws -> StagedCopy {
        let staging = staging
        return try await threads.run { try StagedCopy(in: staging) }
    }
}
