import Basics
import Foundation
import Synchronization

/// An object that comes piece by piece and is named once it is whole. Dropped before its end it leaves nothing behind.
public protocol ObjectIntake: Sendable {
    /// Takes the next bytes. One call at a time.
    /// - Throws: `StorageFailure`.
    func write(_ bytes: [UInt8]) async throws

    /// Names what came and stores it, durable on return. Nothing may be written afterwards.
    /// - Throws: `StorageFailure`.
    func finish() async throws -> (digest: Digest, size: Int64)
}

extension ObjectIntake {
    /// Takes pieces to their end. The next is asked for while the one before it is being written.
    /// - Throws: what `next` throws, or `StorageFailure`.
    public func take(
        _ next: () async throws -> [UInt8]?
    ) async throws -> (digest: Digest, size: Int64) {
        var writing: Task<Void, any Error>?
        do {
            while let piece = try await next() {
                try await writing?.value
                writing = Task { try await write(piece) }
            }
        } catch {
            _ = await writing?.result
            throw error
        }
        try await writing?.value
        return try await finish()
    }
}

/// Gathers a file in a folder and hands it on when it is whole.
final class FileIntake: ObjectIntake {
    private struct Gathered: ~Copyable {
        var staged: StagedFile
        var digest = Digest.Builder()
        var size: Int64 = 0
    }

    private let thread = BlockingThread(name: "intake")
    private let gathered: Mutex<Gathered?>
    private let store: @Sendable (consuming StagedFile, Digest, Int64) throws -> Void

    /// - Parameters:
    ///   - folder: where the file grows.
    ///   - store: gets the whole file, which goes where it is not published.
    init(
        in folder: String, mode: mode_t, store: @escaping @Sendable (consuming StagedFile, Digest, Int64) throws -> Void
    ) throws {
        gathered = Mutex(Gathered(staged: try StagedFile(in: folder, mode: mode)))
        self.store = store
    }

    func write(_ bytes: [UInt8]) async throws {
        try await thread.run { [self] in
            try gathered.withLock { gathered in
                guard gathered != nil else { return }
                try bytes.withUnsafeBytes { raw in
                    try gathered?.staged.file.writeAll(raw)
                    gathered?.digest.update(raw)
                }
                gathered?.size += Int64(bytes.count)
            }
        }
    }

    func finish() async throws -> (digest: Digest, size: Int64) {
        try await thread.run { [self] in
            let whole = gathered.withLock { gathered -> Gathered? in gathered.take() }
            guard let whole else { throw StorageFailure.closed(store: "an object that was taken in before") }
            let size = whole.size
            let digest = whole.digest.finish()
            try store(whole.staged, digest, size)
            return (digest, size)
        }
    }
}

/// Gathers a file and gives it to a store whose objects are elsewhere.
final class PassingIntake: ObjectIntake {
    private struct File: ~Copyable {
        let file: OpenFile
        var size: Int64 = 0
    }

    private let thread = BlockingThread(name: "intake")
    private let copy: StagedCopy
    private let file: Mutex<File>
    private let store: CachedObjectStore

    init(_ copy: StagedCopy, into store: CachedObjectStore) throws {
        self.copy = copy
        self.store = store
        file = Mutex(File(file: try OpenFile(copy.path, O_WRONLY)))
    }

    func write(_ bytes: [UInt8]) async throws {
        try await thread.run { [self] in
            try file.withLock { file in
                try bytes.withUnsafeBytes { try file.file.writeAll($0) }
                file.size += Int64(bytes.count)
            }
        }
    }

    func finish() async throws -> (digest: Digest, size: Int64) {
        defer { copy.discard() }
        return (try await store.put(file: copy.path), file.withLock { $0.size })
    }
}

/// The bytes of an object, piece by piece.
public final class ObjectReader: Sendable {
    private struct State: ~Copyable {
        let file: OpenFile
        var digest: Digest.Builder?
        var offset: Int64 = 0
    }

    /// How many bytes it has.
    public let size: Int64
    private let name: Digest
    private let thread = BlockingThread(name: "object-reader")
    private let state: Mutex<State>
    private static let piece = 1 << 20

    /// - Throws: `StorageFailure.objectNotFound`.
    init(_ digest: Digest, at path: String) throws {
        let file = try OpenFile(path, O_RDONLY)
        size = Int64(try file.status().st_size)
        name = digest
        state = Mutex(State(file: file, digest: Digest.Builder()))
    }

    /// The next bytes, or nil at the end. The last are handed out only where all of them are those that the object is named
    /// by. One call at a time.
    /// - Throws: `StorageFailure.damaged` where the stored bytes are others.
    public func next() async throws -> [UInt8]? {
        try await thread.run { [self] in
            try state.withLock { state in
                let room = Int(min(Int64(Self.piece), size - state.offset))
                if room <= 0, state.digest == nil { return nil }
                let bytes = try [UInt8](unsafeUninitializedCapacity: max(0, room)) { buffer, count in
                    count = try state.file.read(into: UnsafeMutableRawBufferPointer(buffer), at: state.offset)
                }
                state.digest?.update(bytes)
                state.offset += Int64(bytes.count)
                if bytes.count < Self.piece || state.offset >= size {
                    let found = state.digest.take()?.finish()
                    guard found == nil || found == name, bytes.count == room else {
                        throw StorageFailure.tampered(state.file.path)
                    }
                }
                return bytes.isEmpty ? nil : bytes
            }
        }
    }
}
