import Basics
import Foundation
import Synchronization

/// Objects as read-only files, `objects/ab/cdef...` under a root folder.
///
/// An object appears under its name only when all its bytes are on the disk.
public final class FileObjectStore: ObjectStore {
    private let root: String
    private let threads: [BlockingThread]
    private let turn = Atomic<Int>(0)
    private static let chunk = 1 << 20

    /// Opens a store, making its folders and removing what a crash left half written.
    /// - Parameters:
    ///   - root: the folder; made when missing.
    ///   - threads: how many calls may wait for the disk at the same time.
    /// - Throws: `StorageFailure`.
    public init(root: String, threads: Int = 4) throws {
        self.root = root
        self.threads = (0..<max(1, threads)).map { BlockingThread(name: "objects.\($0)") }
        try Folder.make("\(root)/objects")
        try Folder.make("\(root)/tmp")
        try StagedFile.removeLeftovers(in: "\(root)/tmp")
    }

    public func put(_ bytes: [UInt8]) async throws -> Digest {
        try await run { store in
            let digest = Digest(of: bytes)
            if store.isStored(digest, size: Int64(bytes.count)) { return digest }
            let staged = try StagedFile(in: store.staging, mode: 0o444)
            try bytes.withUnsafeBytes { try staged.file.writeAll($0) }
            try staged.publish(as: store.place(digest))
            return digest
        }
    }

    public func put(file path: String) async throws -> Digest {
        try await run { store in
            let source = try OpenFile(path, O_RDONLY)
            let staged = try StagedFile(in: store.staging, mode: 0o444)
            let (digest, size) = try FileObjectStore.digest(source) { try staged.file.writeAll($0) }
            if store.isStored(digest, size: size) { return digest }
            try staged.publish(as: store.place(digest))
            return digest
        }
    }

    public func get(_ digest: Digest) async throws -> [UInt8] {
        try await run { store in
            let path = store.path(digest)
            let bytes = try FileObjectStore.naming(digest) { try AtomicFile.read(path) }
            guard Digest(of: bytes) == digest else { throw FileObjectStore.tampered(path) }
            return bytes
        }
    }

    public func localPath(_ digest: Digest) async throws -> String {
        try await run { store in
            let path = store.path(digest)
            let found = try FileObjectStore.naming(digest) {
                try FileObjectStore.digest(try OpenFile(path, O_RDONLY)) { _ in }
            }
            guard found.digest == digest else { throw FileObjectStore.tampered(path) }
            return path
        }
    }

    public func contains(_ digest: Digest) async throws -> Bool {
        try await run { access($0.path(digest), F_OK) == 0 }
    }

    public func size(_ digest: Digest) async throws -> Int64 {
        try await run { store in
            try FileObjectStore.naming(digest) {
                Int64(try OpenFile(store.path(digest), O_RDONLY).status().st_size)
            }
        }
    }

    public func delete(_ digest: Digest) async throws {
        try await run { store in
            let path = store.path(digest)
            if unlink(path) == 0 {
                try Folder.sync(Folder.parent(path))
            } else if errno != ENOENT {
                throw StorageFailure.system("deleting", path)
            }
        }
    }

    public func list() async throws -> [Digest] {
        try await run { store in
            try Folder.names("\(store.root)/objects").flatMap { shard in
                try Folder.names("\(store.root)/objects/\(shard)").compactMap { Digest(shard + $0) }
            }
        }
    }

    private var staging: String { "\(root)/tmp" }

    private func path(_ digest: Digest) -> String {
        "\(root)/objects/\(digest.hex.prefix(2))/\(digest.hex.dropFirst(2))"
    }

    /// The final path of a new object, its folder made.
    private func place(_ digest: Digest) throws -> String {
        let path = path(digest)
        try Folder.make(Folder.parent(path))
        return path
    }

    /// Whether a sound copy is there already. A damaged one is replaced by storing the bytes again.
    private func isStored(_ digest: Digest, size: Int64) -> Bool {
        guard let file = try? OpenFile(path(digest), O_RDONLY), let status = try? file.status(),
            Int64(status.st_size) == size, let found = try? FileObjectStore.digest(file, { _ in })
        else { return false }
        return found.digest == digest
    }

    private func run<Value: Sendable>(
        _ body: @escaping @Sendable (FileObjectStore) throws -> Value
    ) async throws -> Value {
        let index = turn.wrappingAdd(1, ordering: .relaxed).newValue
        return try await threads[Int(index.magnitude % UInt(threads.count))].run { try body(self) }
    }

    private static func tampered(_ path: String) -> StorageFailure {
        .damaged(path: path, offset: 0, reason: "its bytes are not those it is named by")
    }

    private static func naming<Value>(_ digest: Digest, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch StorageFailure.notFound {
            throw StorageFailure.objectNotFound(digest)
        }
    }

    /// Reads a whole file in pieces and handing each on.
    private static func digest(
        _ file: borrowing OpenFile, _ each: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> (digest: Digest, size: Int64) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk, alignment: 16)
        defer { buffer.deallocate() }
        var builder = Digest.Builder()
        var offset: Int64 = 0
        while true {
            let count = try file.read(into: buffer, at: offset)
            if count == 0 { break }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            builder.update(piece)
            try each(piece)
            offset += Int64(count)
        }
        return (builder.finish(), offset)
    }
}
