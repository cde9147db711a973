import Basics
import Foundation

/// A file that appears under its name once all of it is on the disk.
struct SavedFile: Sendable {
    let bytes: Int64
    let digest: Digest

    private static let piece = 1 << 20

    /// - Parameter write: writes to the open file.
    /// - Throws: what `write` throws, or `CommandFailure` where the file can not be written; there is then none.
    init(at path: String, _ write: (Int32) async throws -> Void) async throws {
        let staged = "\(path).partial"
        let descriptor = open(staged, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.failure(path) }
        defer {
            close(descriptor)
            unlink(staged)
        }
        try await write(descriptor)
        (bytes, digest) = try await BlockingThread(name: "saved").run {
            let whole = try Self.read(descriptor, path)
            guard fsync(descriptor) == 0, rename(staged, path) == 0 else { throw Self.failure(path) }
            return whole
        }
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(
            .unavailable, "'\(path)' can not be written: \(String(cString: strerror(errno)))",
            remedy: "Give another with --out.")
    }

    private static func read(_ descriptor: Int32, _ path: String) throws -> (Int64, Digest) {
        var digest = Digest.Builder()
        var size: Int64 = 0
        var buffer = [UInt8](repeating: 0, count: piece)
        while true {
            let count = pread(descriptor, &buffer, buffer.count, off_t(size))
            guard count >= 0 else { throw failure(path) }
            if count == 0 { return (size, digest.finish()) }
            buffer.withUnsafeBytes { digest.update(UnsafeRawBufferPointer(rebasing: $0.prefix(count))) }
            size += Int64(count)
        }
    }
}
