import Basics
import Foundation

/// An anchor in a file that only grows: one checkpoint a line, as JSON, flushed before it counts.
///
/// A line that a crash cut short has no closing brace: it was never acknowledged and is passed over. Any other line that
/// can not be read is damage. Several processes may store into the same file.
public final class FileAnchor: JournalAnchor {
    public let place: String
    private let path: String
    private let thread = BlockingThread(name: "journal.anchor")
    private static let tail = 64 << 10
    private static let lockSeconds: UInt64 = 5

    /// - Parameter path: the file; it and its folder are made when the first checkpoint is stored.
    public init(path: String) {
        self.path = path
        place = "'\(path)'"
    }

    public func store(_ checkpoint: Checkpoint) async throws {
        try await thread.run { [self] in
            let folder = (path as NSString).deletingLastPathComponent
            if !folder.isEmpty {
                try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            guard let file = try open(O_RDWR | O_CREAT | O_APPEND) else { throw failure() }
            defer { close(file) }
            try lock(file)
            let (end, isWhole) = try lastLine(file)
            guard try follows(checkpoint, end) else { return }
            var line = isWhole ? [] : [UInt8(ascii: "\n")]
            line += try JSON.canonical(checkpoint) + [UInt8(ascii: "\n")]
            guard write(file, line, line.count) == line.count, fsync(file) == 0 else { throw failure() }
            if end == nil { try flushFolder(folder.isEmpty ? "." : folder) }
        }
    }

    public func latest() async throws -> Checkpoint? {
        try await thread.run { [self] in
            guard let file = try open(O_RDONLY) else { return nil }
            defer { close(file) }
            return try lastLine(file).checkpoint
        }
    }

    public func history() async throws -> [Checkpoint] {
        try await thread.run { [self] in
            guard let file = try open(O_RDONLY) else { return [] }
            defer { close(file) }
            return try Checkpoint.lines(try read(file, from: 0)[...], place: place)
        }
    }

    /// - Returns: nil where there is no such file.
    private func open(_ flags: Int32) throws -> Int32? {
        var file: Int32
        repeat { file = Foundation.open(path, flags | O_CLOEXEC, 0o644) } while file < 0 && errno == EINTR
        if file < 0, errno == ENOENT { return nil }
        guard file >= 0 else { throw failure() }
        return file
    }

    private func lock(_ file: Int32) throws {
        let deadline = SystemTime.monotonicNanoseconds + Self.lockSeconds * 1_000_000_000
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw failure() }
            guard SystemTime.monotonicNanoseconds < deadline else {
                throw JournalFailure.anchor(
                    place: place, reason: "another process has held its lock for \(Self.lockSeconds) s")
            }
            usleep(2000)
        }
    }

    /// The last whole checkpoint, and whether the file ends with the end of a line.
    private func lastLine(_ file: Int32) throws -> (checkpoint: Checkpoint?, isWhole: Bool) {
        let size = Int64(lseek(file, 0, SEEK_END))
        guard size >= 0 else { throw failure() }
        let start = max(0, size - Int64(Self.tail))
        var bytes = try read(file, from: start)[...]
        // The first line of the tail may have begun before it.
        if start > 0 { bytes = bytes.drop { $0 != UInt8(ascii: "\n") } }
        // Only the last that is whole is read: those before it were checked when it was added.
        let line = Checkpoint.wholeLines(bytes).last
        return (
            try line.map { try Checkpoint(line: $0, place: place) }, size == 0 || bytes.last == UInt8(ascii: "\n")
        )
    }

    private func read(_ file: Int32, from start: Int64) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: Self.tail)
        while true {
            let count = pread(file, &piece, piece.count, off_t(start) + off_t(bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure() }
            if count == 0 { return bytes }
            bytes += piece.prefix(count)
        }
    }

    private func flushFolder(_ path: String) throws {
        let folder = Foundation.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failure() }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw failure() }
    }

    private func failure() -> JournalFailure {
        .anchor(place: place, reason: String(cString: strerror(errno)))
    }
}
