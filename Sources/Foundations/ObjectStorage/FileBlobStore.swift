import Basics
import Foundation
import Telemetry

/// Blobs as files with the same layout as `FileObjectStore`, for bytes that are not those they are named by.
public final class FileBlobStore: BlobStore {
    private let folder: ObjectFolder
    private let threads: StorageThreads
    private let metrics: StorageMetrics?

    /// - Parameters:
    ///   - root: the folder; made when missing.
    ///   - threads: how many calls may wait for the disk at the same time.
    ///   - metrics: where calls are counted and timed.
    /// - Throws: `StorageFailure`.
    public init(root: String, threads: Int = 4, metrics: MetricsRegistry? = nil) throws {
        folder = try ObjectFolder(root: root)
        self.threads = StorageThreads(name: "blobs", count: threads, place: "file:\(root)")
        self.metrics = metrics.map { StorageMetrics($0, engine: "file") }
    }

    public var place: String { "file:\(folder.root)" }

    public func put(_ source: BlobSource, as name: Digest, replacing: Bool) async throws {
        try await run("put") { folder, metrics in
            if !replacing, folder.contains(name) { return }
            let staged = try StagedFile(in: folder.staging, mode: 0o444)
            switch source {
            case .bytes(let bytes):
                try bytes.withUnsafeBytes { try staged.file.writeAll($0) }
                metrics?.written(Int64(bytes.count))
            case .file(let path):
                metrics?.written(try FileBlobStore.copy(try OpenFile(path, O_RDONLY), to: staged.file))
            }
            try staged.publish(as: folder.place(name))
        }
    }

    public func get(_ name: Digest) async throws -> [UInt8] {
        try await run("get") { folder, metrics in
            let bytes = try folder.naming(name) { try AtomicFile.read(folder.path(name)) }
            metrics?.read(Int64(bytes.count))
            return bytes
        }
    }

    public func get(_ name: Digest, into path: String) async throws {
        try await run("get") { folder, metrics in
            let source = try folder.naming(name) { try OpenFile(folder.path(name), O_RDONLY) }
            metrics?.read(try FileBlobStore.copy(source, to: try OpenFile(path, O_WRONLY | O_TRUNC)))
        }
    }

    public func size(_ name: Digest) async throws -> Int64 {
        try await run("head") { folder, _ in try folder.size(name) }
    }

    public func contains(_ name: Digest) async throws -> Bool {
        try await run("head") { folder, _ in folder.contains(name) }
    }

    public func delete(_ name: Digest) async throws {
        try await run("delete") { folder, _ in try folder.delete(name) }
    }

    public func list() async throws -> [Digest] {
        try await run("list") { folder, _ in try folder.list() }
    }

    public func check() async throws -> StoreReport {
        try await run("check") { folder, _ in try folder.probe() }
    }

    public func close() async { await threads.close() }

    private static func copy(_ source: borrowing OpenFile, to target: borrowing OpenFile) throws -> Int64 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ObjectFolder.chunk, alignment: 16)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while true {
            let count = try source.read(into: buffer, at: offset)
            if count == 0 { return offset }
            try target.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += Int64(count)
        }
    }

    private func run<Value: Sendable>(
        _ operation: String, _ body: @escaping @Sendable (ObjectFolder, StorageMetrics?) throws -> Value
    ) async throws -> Value {
        let (folder, metrics) = (folder, metrics)
        return try await StorageMetrics.timed(metrics, operation) {
            try await threads.run { try body(folder, metrics) }
        }
    }
}
