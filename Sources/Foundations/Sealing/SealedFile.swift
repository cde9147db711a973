import Basics
import Foundation

/// Files of any size, sealed and opened in bounded memory. Every call blocks while the disk works.
///
/// The target appears whole, flushed and of mode 0600, or not at all; one that was there is replaced.
public enum SealedFile {
    /// Seals the file `source` into `target` with the newest key.
    /// - Throws: `SealingFailure`.
    public static func seal(
        _ source: String, to target: String, with keyring: SealingKeyring, context: String = ""
    ) throws {
        let reader = try PieceReader(source)
        let writer = try StagedWriter(target)
        var stream = try SealingStream(keyring, context: context)
        try writer.write(stream.start)
        while let bytes = try reader.next() {
            try writer.write(try bytes.withUnsafeBytes { try stream.update($0) })
        }
        try writer.write(try stream.finish())
        try writer.publish()
    }

    /// Opens the sealed file `source` into `target`; where any of it is not authentic there is no target.
    /// - Throws: `SealingFailure`.
    public static func open(
        _ source: String, to target: String, with keyring: SealingKeyring, context: String = ""
    ) throws {
        let reader = try PieceReader(source)
        let writer = try StagedWriter(target)
        var stream = OpeningStream(keyring, context: context, what: "'\(source)'")
        while let bytes = try reader.next() {
            try writer.write(try bytes.withUnsafeBytes { try stream.update($0) })
        }
        try writer.write(try stream.finish())
        try writer.publish()
    }

    /// Seals with the newest key, in place, what an older one has sealed.
    /// - Returns: false where the newest key has sealed it already.
    @discardableResult
    public static func rewrap(_ path: String, with keyring: SealingKeyring, context: String = "") throws -> Bool {
        let reader = try PieceReader(path)
        var piece = try reader.next()
        if try SealedBytes.keyID(of: piece ?? [], what: "'\(path)'") == keyring.newest { return false }
        let writer = try StagedWriter(path)
        var opening = OpeningStream(keyring, context: context, what: "'\(path)'")
        var sealing = try SealingStream(keyring, context: context)
        try writer.write(sealing.start)
        while let bytes = piece {
            let content = try bytes.withUnsafeBytes { try opening.update($0) }
            try writer.write(try content.withUnsafeBytes { try sealing.update($0) })
            piece = try reader.next()
        }
        let last = try opening.finish()
        try writer.write(try last.withUnsafeBytes { try sealing.update($0) })
        try writer.write(try sealing.finish())
        try writer.publish()
        return true
    }
}

/// Reads a file in pieces of 1 MiB.
private struct PieceReader: ~Copyable {
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws {
        self.path = path
        var opened: Int32
        repeat { opened = open(path, O_RDONLY | O_CLOEXEC) } while opened < 0 && errno == EINTR
        guard opened >= 0 else { throw KeyFile.failure(path) }
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// The next bytes; nil at the end.
    func next() throws -> [UInt8]? {
        let bytes = try [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, count in
            var got: Int
            repeat { got = read(descriptor, buffer.baseAddress, buffer.count) } while got < 0 && errno == EINTR
            guard got >= 0 else { throw KeyFile.failure(path) }
            count = got
        }
        return bytes.isEmpty ? nil : bytes
    }
}

/// A file under another name until `publish`. Dropped before, it leaves nothing behind.
private struct StagedWriter: ~Copyable {
    private let target: String
    private let folder: String
    private let staged: String
    private let descriptor: Int32

    init(_ target: String) throws {
        self.target = target
        let parent = (target as NSString).deletingLastPathComponent
        folder = parent.isEmpty ? "." : parent
        var template = Array("\(folder)/.sealing-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        staged = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard descriptor >= 0 else { throw KeyFile.failure(target) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    // After `publish` there is no file of the staged name any more.
    deinit {
        close(descriptor)
        unlink(staged)
    }

    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw KeyFile.failure(target)
            }
            rest = rest.dropFirst(count)
        }
    }

    consuming func publish() throws {
        guard fsync(descriptor) == 0, rename(staged, target) == 0 else { throw KeyFile.failure(target) }
        try KeyFile.syncFolder(folder)
    }
}
