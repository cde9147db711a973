import Basics
import Foundation
import Synchronization

/// Objects over blobs that are elsewhere or stored in another form: it names what goes in, checks what comes out, and
/// keeps checked copies in a local folder for those who need a file.
public final class CachedObjectStore: ObjectStore {
    private let blobs: any BlobStore
    private let cache: ObjectCache
    private let threads = StorageThreads(name: "objects", count: 2)
    private let gate: Gate
    /// Objects found to be others than they are named by: storing them again mends them.
    private let damaged = Mutex<Set<Digest>>([])

    /// - Parameters:
    ///   - blobs: where the bytes are; closed with this store.
    ///   - cache: where local copies are kept.
    public init(_ blobs: any BlobStore, cache: ObjectCache) {
        self.blobs = blobs
        self.cache = cache
        gate = Gate(place: blobs.place)
    }

    public func put(_ bytes: [UInt8]) async throws -> Digest {
        try await gate.pass {
            let digest = try await threads.run { Digest(of: bytes) }
            try await put(.bytes(bytes), as: digest)
            return digest
        }
    }

    public func put(file path: String) async throws -> Digest {
        try await gate.pass {
            let digest = try await threads.run { try ObjectFolder.digest(try OpenFile(path, O_RDONLY)).digest }
            try await put(.file(path), as: digest)
            return digest
        }
    }

    public func intake() async throws -> any ObjectIntake {
        try await gate.pass {
            let staging = cache.staging
            return try await threads.run { try PassingIntake(try StagedCopy(in: staging), into: self) }
        }
    }

    public func reader(_ digest: Digest) async throws -> ObjectReader {
        let path = try await localPath(digest)
        return try await threads.run { try ObjectReader(digest, at: path) }
    }

    public func get(_ digest: Digest) async throws -> [UInt8] {
        try await noticingDamage(digest) {
            let bytes = try await blobs.get(digest)
            guard try await threads.run({ Digest(of: bytes) }) == digest else { throw tampered(digest) }
            return bytes
        }
    }

    public func localPath(_ digest: Digest) async throws -> String {
        try await noticingDamage(digest) {
            try await cache.path(digest, place: "\(blobs.place)/\(digest)") { [blobs] path in
                try await blobs.get(digest, into: path)
            }
        }
    }

    public func contains(_ digest: Digest) async throws -> Bool {
        try await gate.pass { try await blobs.contains(digest) }
    }

    public func size(_ digest: Digest) async throws -> Int64 { try await gate.pass { try await blobs.size(digest) } }

    public func delete(_ digest: Digest) async throws {
        try await gate.pass {
            try await blobs.delete(digest)
            try await cache.remove(digest)
        }
    }

    public func list() async throws -> [Digest] { try await gate.pass { try await blobs.list() } }

    public func check() async throws -> StoreReport {
        try await gate.pass {
            try await cache.check()
            return try await blobs.check()
        }
    }

    public func close() async {
        await gate.close()
        await blobs.close()
    }

    private func put(_ source: BlobSource, as digest: Digest) async throws {
        let isDamaged = damaged.withLock { $0.contains(digest) }
        try await blobs.put(source, as: digest, replacing: isDamaged)
        if isDamaged { damaged.withLock { _ = $0.remove(digest) } }
    }

    private func noticingDamage<Value>(_ digest: Digest, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await gate.pass(body)
        } catch let failure as any Failure where failure.code == .dataLoss {
            damaged.withLock { _ = $0.insert(digest) }
            throw failure
        }
    }

    private func tampered(_ digest: Digest) -> StorageFailure { .tampered("\(blobs.place)/\(digest)") }
}
