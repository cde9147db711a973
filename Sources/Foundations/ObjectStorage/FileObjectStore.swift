import Basics
import Foundation
import Telemetry

/// Objects as read-only files, `objects/ab/cdef...` under a root folder.
///
/// An object appears under its name only when all its bytes are on the disk.
public final class FileObjectStore: ObjectStore {
    private let folder: ObjectFolder
    private let threads: StorageThreads
    private let gate: Gate
    private let metrics: StorageMetrics?

    /// Opens a store, making its folders and removing what a crash left half written.
    /// - Parameters:
    ///   - root: the folder; made when missing.
    ///   - threads: how many calls may wait for the disk at the same time.
    ///   - metrics: where calls are counted and timed.
    /// - Throws: `StorageFailure`.
    public init(root: String, threads: Int = 4, metrics: MetricsRegistry? = nil) throws {
        folder = try ObjectFolder(root: root)
        self.threads = StorageThreads(name: "objects", count: threads)
        gate = Gate(place: "file:\(root)")
        self.metrics = metrics.map { StorageMetrics($0, engine: "file") }
    }

    public func put(_ bytes: [UInt8]) async throws -> Digest {
        try await run("put") { folder, metrics in
            let digest = Digest(of: bytes)
            if FileObjectStore.isStored(digest, size: Int64(bytes.count), in: folder) { return digest }
            let staged = try StagedFile(in: folder.staging, mode: 0o444)
            try bytes.withUnsafeBytes { try staged.file.writeAll($0) }
            try staged.publish(as: folder.place(digest))
            metrics?.written(Int64(bytes.count))
            return digest
        }
    }

    public func put(file path: String) async throws -> Digest {
        try await run("put") { folder, metrics in
            let source = try OpenFile(path, O_RDONLY)
            let staged = try StagedFile(in: folder.staging, mode: 0o444)
            let (digest, size) = try ObjectFolder.digest(source) { try staged.file.writeAll($0) }
            if FileObjectStore.isStored(digest, size: size, in: folder) { return digest }
            try staged.publish(as: folder.place(digest))
            metrics?.written(size)
            return digest
        }
    }

    public func intake() async throws -> any ObjectIntake {
        try await run("put") { folder, metrics in
            try FileIntake(in: folder.staging, mode: 0o444) { staged, digest, size in
                if FileObjectStore.isStored(digest, size: size, in: folder) { return }
                try staged.publish(as: folder.place(digest))
                metrics?.written(size)
            }
        }
    }

    public func reader(_ digest: Digest) async throws -> ObjectReader {
        try await run("get") { folder, metrics in
            let reader = try folder.naming(digest) { try ObjectReader(digest, at: folder.path(digest)) }
            metrics?.read(reader.size)
            return reader
        }
    }

    public func get(_ digest: Digest) async throws -> [UInt8] {
        try await run("get") { folder, metrics in
            let path = folder.path(digest)
            let bytes = try folder.naming(digest) { try AtomicFile.read(path) }
            guard Digest(of: bytes) == digest else { throw StorageFailure.tampered(path) }
            metrics?.read(Int64(bytes.count))
            return bytes
        }
    }

    public func localPath(_ digest: Digest) async throws -> String {
        try await run("get") { folder, metrics in
            let path = folder.path(digest)
            let found = try folder.naming(digest) { try ObjectFolder.digest(try OpenFile(path, O_RDONLY)) }
            guard found.digest == digest else { throw StorageFailure.tampered(path) }
            metrics?.read(found.size)
            return path
        }
    }

    public func contains(_ digest: Digest) async throws -> Bool {
        try await run("head") { folder, _ in folder.contains(digest) }
    }

    public func size(_ digest: Digest) async throws -> Int64 {
        try await run("head") { folder, _ in try folder.size(digest) }
    }

    public func delete(_ digest: Digest) async throws {
        try await run("delete") { folder, _ in try folder.delete(digest) }
    }

    public func list() async throws -> [Digest] {
        try await run("list") { folder, _ in try folder.list() }
    }

    public func check() async throws -> StoreReport {
        try await run("check") { folder, _ in try folder.probe() }
    }

    public func close() async { await gate.close() }

    /// Whether a sound copy is there already. A damaged one is replaced by storing the bytes again.
    private static func isStored(_ digest: Digest, size: Int64, in folder: ObjectFolder) -> Bool {
        guard let file = try? OpenFile(folder.path(digest), O_RDONLY), let status = try? file.status(),
            Int64(status.st_size) == size, let found = try? ObjectFolder.digest(file)
        else { return false }
        return found.digest == digest
    }

    private func run<Value: Sendable>(
        _ operation: String, _ body: @escaping @Sendable (ObjectFolder, StorageMetrics?) throws -> Value
    ) async throws -> Value {
        let (folder, metrics) = (folder, metrics)
        return try await StorageMetrics.timed(metrics, operation) {
            try await gate.pass { try await threads.run { try body(folder, metrics) } }
        }
    }
}
