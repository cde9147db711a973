import Basics
import Foundation

/// Documents as files. Processes on one machine that share the folder see each other's writes.
public final class FileDocumentStore: DocumentStore {
    private let root: String
    private let threads: StorageThreads
    private static let lockSeconds = 10.0

    /// - Parameter root: the folder; made when missing.
    /// - Throws: `StorageFailure`.
    public init(root: String) throws {
        self.root = root
        threads = StorageThreads(name: "documents", count: 1, place: "file:\(root)")
        try Folder.make("\(root)/.tmp")
        try StagedFile.removeLeftovers(in: "\(root)/.tmp")
    }

    public func get(_ name: String) async throws -> Document? {
        try DocumentRules.check(name)
        let path = "\(root)/\(name)"
        return try await threads.run { try FileDocumentStore.read(path) }
    }

    public func put(_ name: String, _ bytes: [UInt8], when condition: DocumentCondition) async throws -> String {
        try DocumentRules.check(name, bytes)
        let root = root
        return try await threads.run {
            let path = "\(root)/\(name)"
            // Held to the end of this call, against writers of other processes.
            let lock = try FileDocumentStore.lock("\(root)/.lock")
            defer { _ = flock(lock.file.descriptor, LOCK_UN) }
            let found = condition == .always ? nil : try FileDocumentStore.read(path)
            switch condition {
            case .always: break
            case .absent: guard found == nil else { throw StorageFailure.conflict(document: name) }
            case .matches(let tag):
                guard found?.tag == tag else { throw StorageFailure.conflict(document: name) }
            }
            try Folder.make(Folder.parent(path))
            let staged = try StagedFile(in: "\(root)/.tmp", mode: 0o644)
            try bytes.withUnsafeBytes { try staged.file.writeAll($0) }
            try staged.publish(as: path)
            return Digest(of: bytes).hex
        }
    }

    public func check() async throws -> StoreReport {
        let start = SystemTime.monotonicNanoseconds
        let name = "probe-\(getpid())"
        let probe = Array("probe".utf8)
        _ = try await put(name, probe, when: .always)
        let found = try await get(name)
        let root = root
        try await threads.run { _ = unlink("\(root)/\(name)") }
        guard found?.bytes == probe else {
            throw StorageFailure.damaged(path: root, offset: 0, reason: "the probe was not read as written")
        }
        let nanoseconds = SystemTime.monotonicNanoseconds &- start
        return StoreReport(engine: "file", place: "file:\(root)", seconds: Double(nanoseconds) * 1e-9)
    }

    public func close() async { await threads.close() }

    private static func read(_ path: String) throws -> Document? {
        do {
            let bytes = try AtomicFile.read(path)
            return Document(bytes: bytes, tag: Digest(of: bytes).hex)
        } catch StorageFailure.notFound {
            return nil
        }
    }

    private static func lock(_ path: String) throws -> SharedFile {
        let file = try SharedFile(path, O_RDWR | O_CREAT)
        let deadline = SystemTime.monotonicNanoseconds &+ UInt64(lockSeconds * 1e9)
        while flock(file.file.descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw StorageFailure.system("locking", path) }
            guard SystemTime.monotonicNanoseconds < deadline else { throw StorageFailure.inUse(path: path) }
            usleep(2000)
        }
        return file
    }
}
