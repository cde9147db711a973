import Basics
import Foundation
import Synchronization

/// Local copies of objects, checked against their names. Several processes may share the folder.
///
/// When the copies grow over the limit those that were not asked for longest go first. A copy that was handed out
/// within the last `grace` seconds stays even then: somebody may be about to open it.
public final class ObjectCache: Sendable {
    /// What tells that a copy is the one that was checked: a write changes it, and so does a use by another process.
    private struct Mark: Hashable {
        let inode: UInt64
        let size: Int64
        let seconds: Int
        let nanoseconds: Int

        init(_ status: stat) {
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            seconds = status.st_ctim.tv_sec
            nanoseconds = status.st_ctim.tv_nsec
        }
    }

    private struct State {
        var checked: [Digest: Mark] = [:]
        var bytes: Int64 = 0
        var untilCount = 0
        var fetching: [Digest: Task<String, any Error>] = [:]
    }

    private let root: String
    private let bytesMax: Int64
    private let grace: Int64
    private let time: any TimeSource
    private let threads = StorageThreads(name: "cache", count: 4)
    private let state = Mutex(State())

    /// - Parameters:
    ///   - root: the folder; made when missing. What crashed processes left there half fetched is removed.
    ///   - bytesMax: what the copies may take together.
    ///   - grace: seconds for which a copy that was handed out stays.
    ///   - time: tells when a copy was last asked for.
    /// - Throws: `StorageFailure`.
    public init(root: String, bytesMax: Int64 = 10 << 30, grace: Int64 = 600, time: any TimeSource = SystemTime())
        throws
    {
        self.root = root
        self.bytesMax = max(0, bytesMax)
        self.grace = max(0, grace)
        self.time = time
        try Folder.make("\(root)/tmp")
        try StagedFile.removeLeftovers(in: "\(root)/tmp")
    }

    /// A folder for files that are about to be sealed or opened.
    var staging: String { "\(root)/tmp" }

    /// The path of a copy, fetched where there is none. Callers that ask for the same object at once share one fetch.
    /// - Parameters:
    ///   - place: names the object in a failure.
    ///   - fetch: writes the object into an empty file.
    func path(
        _ digest: Digest, place: String, fetch: @escaping @Sendable (String) async throws -> Void
    ) async throws -> String {
        if let path = try await threads.run({ [self] in try hit(digest) }) { return path }
        let task: Task<String, any Error> = state.withLock { state in
            if let running = state.fetching[digest] { return running }
            let task = Task { [self] in
                defer { self.state.withLock { $0.fetching[digest] = nil } }
                return try await fill(digest, place: place, fetch: fetch)
            }
            state.fetching[digest] = task
            return task
        }
        return try await task.value
    }

    func remove(_ digest: Digest) async throws {
        try await threads.run { [self] in
            let path = path(digest)
            guard unlink(path) == 0 || errno == ENOENT else { throw StorageFailure.system("deleting", path) }
            state.withLock { $0.checked[digest] = nil }
        }
    }

    /// Tries whether copies can be written.
    func check() async throws {
        try await threads.run { [self] in
            let staged = try StagedFile(in: staging, mode: 0o600)
            try Array("probe".utf8).withUnsafeBytes { try staged.file.writeAll($0) }
        }
    }

    private func path(_ digest: Digest) -> String { "\(root)/\(digest.hex.prefix(2))/\(digest.hex)" }

    /// The path of a sound copy. A copy that changed is removed.
    private func hit(_ digest: Digest) throws -> String? {
        let path = path(digest)
        guard let file = try? OpenFile(path, O_RDONLY) else { return nil }
        let known = state.withLock { $0.checked[digest] }
        if known != Mark(try file.status()), try ObjectFolder.digest(file).digest != digest {
            unlink(path)
            return nil
        }
        try use(digest, file)
        return path
    }

    /// Makes a copy the one that was asked for last.
    private func use(_ digest: Digest, _ file: borrowing OpenFile) throws {
        let now = time.now.microseconds
        let moment = timespec(tv_sec: Int(now / 1_000_000), tv_nsec: Int(abs(now % 1_000_000)) * 1000)
        // Where this user may not, another process owns the copy and it only looks older than it is.
        _ = withUnsafePointer(to: (moment, moment)) {
            $0.withMemoryRebound(to: timespec.self, capacity: 2) { futimens(file.descriptor, $0) }
        }
        let mark = Mark(try file.status())
        state.withLock { $0.checked[digest] = mark }
    }

    private func fill(
        _ digest: Digest, place: String, fetch: @Sendable (String) async throws -> Void
    ) async throws -> String {
        do {
            return try await fetchOnce(digest, place: place, fetch)
        } catch let failure as any Failure where failure.code == .resourceExhausted {
            try await threads.run { [self] in try evict(downTo: 0) }
            return try await fetchOnce(digest, place: place, fetch)
        }
    }

    private func fetchOnce(
        _ digest: Digest, place: String, _ fetch: @Sendable (String) async throws -> Void
    ) async throws -> String {
        let staged = try await threads.run { [self] in try StagedCopy(in: staging) }
        defer { staged.discard() }
        try await fetch(staged.path)
        return try await threads.run { [self] in
            let path = path(digest)
            let size = try staged.publish(as: path) { file in
                let found = try ObjectFolder.digest(file)
                guard found.digest == digest else { throw StorageFailure.tampered(place) }
                return found.size
            }
            try use(digest, try OpenFile(path, O_RDONLY))
            try keepWithinLimit(adding: size)
            return path
        }
    }

    private func keepWithinLimit(adding size: Int64) throws {
        // Other processes add copies too, so the sum is taken anew now and then.
        let isDue = state.withLock { state in
            state.bytes += size
            state.untilCount -= 1
            guard state.untilCount < 0 || state.bytes > bytesMax else { return false }
            state.untilCount = 64
            return true
        }
        if isDue { try evict(downTo: bytesMax) }
    }

    private func evict(downTo limit: Int64) throws {
        var copies: [(path: String, digest: Digest, size: Int64, used: Timestamp)] = []
        for shard in try Folder.names(root) where shard.utf8.count == 2 {
            for name in try Folder.names("\(root)/\(shard)") {
                let path = "\(root)/\(shard)/\(name)"
                guard let digest = Digest(name), let status = try? OpenFile(path, O_RDONLY).status() else { continue }
                copies.append((path, digest, Int64(status.st_size), status.modified))
            }
        }
        var bytes = copies.reduce(0) { $0 + $1.size }
        let youngest = time.now.advanced(bySeconds: -grace)
        for copy in copies.sorted(by: { $0.used < $1.used }) where bytes > limit && copy.used < youngest {
            unlink(copy.path)
            bytes -= copy.size
            state.withLock { $0.checked[copy.digest] = nil }
        }
        state.withLock { $0.bytes = bytes }
    }
}

/// A file that others write into by its path before it gets its name.
final class StagedCopy: Sendable {
    let path: String
    private let staged: Mutex<StagedFile?>

    init(in folder: String) throws {
        let file = try StagedFile(in: folder, mode: 0o600)
        path = file.file.path
        staged = Mutex(file)
    }

    /// Removes what was not published, at once: the value itself may live a little longer.
    func discard() { staged.withLock { _ = $0.take() } }

    /// Gives the file its name when `body` finds nothing wrong with it.
    func publish<Value>(as name: String, _ body: (borrowing OpenFile) throws -> Value) throws -> Value {
        guard let file = staged.withLock({ $0.take() }) else { throw StorageFailure.notFound(path: path) }
        // Whoever wrote it may have put another file in its place.
        let written = try OpenFile(path, O_RDONLY)
        let value = try body(written)
        guard fchmod(written.descriptor, 0o444) == 0 else {
            throw StorageFailure.system("setting the rights of", path)
        }
        try written.sync()
        try Folder.make(Folder.parent(name))
        try file.publish(as: name)
        return value
    }
}
