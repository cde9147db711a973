import Basics
import Foundation

/// The claim of one process on a root. The kernel drops it when the process ends, however it ends.
public final class RootLock: Sendable {
    private let descriptor: Int32
    private let path: String

    /// What the holder says of itself.
    private struct Holder: Codable {
        var pid: Int32
        var url: String?
    }

    /// - Throws: ``WorksFailure/rootInUse(root:pid:)`` where another process holds the root,
    ///   ``WorksFailure/rootUnusable(root:reason:)`` where the root can not be written.
    public init(root: String) throws {
        path = "\(root)/lock"
        descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw WorksFailure.rootUnusable(root: root, reason: String(cString: strerror(errno)))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Self.holder(path)
            Foundation.close(descriptor)
            throw WorksFailure.rootInUse(root: root, pid: holder?.pid)
        }
        try publish(url: nil)
    }

    deinit { Foundation.close(descriptor) }

    /// Gives the root back while this value lives on.
    func release() { flock(descriptor, LOCK_UN) }

    /// Tells others where to reach this process.
    public func publish(url: String?) throws {
        let bytes = try JSON.canonical(Holder(pid: getpid(), url: url))
        ftruncate(descriptor, 0)
        _ = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    private static func holder(_ path: String) -> Holder? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return try? JSON.decode(Holder.self, from: data)
    }

    /// The address of the server that runs on a root now, if one does.
    public static func serverURL(root: String) -> String? {
        let path = "\(root)/lock"
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { Foundation.close(descriptor) }
        guard flock(descriptor, LOCK_SH | LOCK_NB) != 0 else { return nil }
        return holder(path)?.url
    }
}

/// A look at a root that also keeps others from starting on it, unless one works on it already.
public struct RootClaim: Sendable, CustomStringConvertible {
    /// Whether a process worked on the root before.
    public let isTaken: Bool
    public let description: String
    private let lock: RootLock?

    /// Makes the root's folder where there is none.
    /// - Throws: ``WorksFailure/rootUnusable(root:reason:)``.
    public init(root: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        } catch {
            throw WorksFailure.rootUnusable(root: root, error)
        }
        do {
            lock = try RootLock(root: root)
            isTaken = false
            description = "\(root) can be opened and written"
        } catch WorksFailure.rootInUse(_, let pid) {
            lock = nil
            isTaken = true
            let holder = pid.map { "process \($0)" } ?? "another process"
            description =
                "\(root), in use by " + (RootLock.serverURL(root: root).map { "the server at \($0)" } ?? holder)
        }
    }
}
