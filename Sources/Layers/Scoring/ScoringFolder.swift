import Basics
import Foundation

/// A folder of a run's own: its lock, what it wrote down, and copies of what it reads.
final class ScoringFolder: Sendable {
    let path: String
    private let output: String
    private let lock: Int32
    private static let runName = "run.json"

    /// Makes the folder and holds it against other processes, until this object is gone. Blocks.
    /// - Parameter output: what is written, for messages.
    /// - Throws: ``ScoringFailure/busy(output:)``, ``ScoringFailure/file(path:reason:)``.
    init(_ path: String, for output: String) throws {
        self.path = path
        self.output = output
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw ScoringFailure.file(path: path, reason: "the folder can not be made")
        }
        lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard lock >= 0 else {
            throw ScoringFailure.file(path: "\(path)/lock", reason: String(cString: strerror(errno)))
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            Foundation.close(lock)
            throw ScoringFailure.busy(output: output)
        }
    }

    deinit { Foundation.close(lock) }

    /// Lets others have the folder, at once and not when the last reference happens to go.
    func release() { _ = flock(lock, LOCK_UN) }

    /// A file or folder in it.
    func inside(_ name: String) -> String { "\(path)/\(name)" }

    /// An empty folder in it.
    func fresh(_ name: String) throws -> String {
        let folder = inside(name)
        try? FileManager.default.removeItem(atPath: folder)
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ScoringFailure.file(path: folder, reason: "the folder can not be made")
        }
        return folder
    }

    func remove(_ name: String) { try? FileManager.default.removeItem(atPath: inside(name)) }

    /// The run that was written down.
    /// - Throws: `JSONFailure` where it is damaged.
    func run() throws -> ScoringRun? {
        guard let bytes = FileManager.default.contents(atPath: inside(Self.runName)) else { return nil }
        return try JSON.decode(ScoringRun.self, from: bytes)
    }

    /// Writes a run down, whole or not at all.
    func note(_ run: ScoringRun) throws {
        let bytes = Data((try JSON.pretty(run) + "\n").utf8)
        let path = inside(Self.runName)
        do {
            try bytes.write(to: URL(fileURLWithPath: "\(path).partial"))
        } catch {
            throw ScoringFailure.file(path: path, reason: "it can not be written")
        }
        let file = open("\(path).partial", O_RDONLY | O_CLOEXEC)
        defer { Foundation.close(file) }
        guard file >= 0, fsync(file) == 0, rename("\(path).partial", path) == 0 else {
            throw ScoringFailure.file(path: path, reason: String(cString: strerror(errno)))
        }
    }
}
