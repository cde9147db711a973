import Basics
import Foundation

/// The digests of one file, computed in one pass of bounded memory.
public struct FileDigests: Sendable, Equatable {
    public private(set) var bytes: Int64
    public private(set) var sha256: Digest
    var md5: MD5?

    /// Reads a file; blocks.
    /// - Throws: ``DatasetsFailure/missingFile(_:)``, ``DatasetsFailure/unreadable(path:reason:)``.
    public init(_ path: String) throws { try self.init(path, md5: false) }

    /// Reads a file, for its MD5 too where that is wanted; blocks.
    init(_ path: String, md5 wantsMD5: Bool) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { throw DatasetsFailure.missingFile(path) }
            throw DatasetsFailure.unreadable(path: path, reason: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var builder = Digest.Builder()
        var md5 = MD5.Builder()
        var total: Int64 = 0
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { memory.deallocate() }
        while true {
            let count = read(descriptor, memory.baseAddress, memory.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw DatasetsFailure.unreadable(path: path, reason: String(cString: strerror(errno)))
            }
            if count == 0 { break }
            let piece = UnsafeRawBufferPointer(rebasing: memory[..<count])
            builder.update(piece)
            if wantsMD5 { md5.update(piece) }
            total += Int64(count)
        }
        bytes = total
        sha256 = builder.finish()
        let sum = md5.finish()
        self.md5 = wantsMD5 ? sum : nil
    }
}
