import Basics
import Foundation

/// Files that hold keys: read only where nobody else may read them, made whole or not at all.
enum KeyFile {
    private static let bytesMax = 64 << 10

    /// The text of a key file.
    /// - Parameter secret: whether the file must be closed to other users.
    /// - Throws: `SealingFailure.exposed` where other users may read or write a secret file, `.file` or `.badKey`.
    static func read(_ path: String, secret: Bool = true) throws -> String {
        var descriptor: Int32
        repeat { descriptor = open(path, O_RDONLY | O_CLOEXEC) } while descriptor < 0 && errno == EINTR
        guard descriptor >= 0 else { throw failure(path) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw failure(path) }
        let data: Data
        do { data = try file.read(upToCount: bytesMax + 1) ?? Data() } catch {
            throw SealingFailure.file(path: path, reason: "it can not be read")
        }
        guard data.count <= bytesMax, let text = String(data: data, encoding: .utf8) else {
            throw SealingFailure.badKey("'\(path)'", reason: "it is no text of at most 64 KiB")
        }
        let mode = UInt32(facts.st_mode) & 0o777
        if secret, mode & 0o077 != 0 { throw SealingFailure.exposed(path: path, mode: mode) }
        return text
    }

    /// Makes a file with this content, unless there is one of that name already.
    ///
    /// The name appears only once the content is on the disk; of two processes that make the same file, one wins.
    /// - Returns: whether the file was made by this call.
    static func create(_ path: String, _ text: String, mode: mode_t) throws -> Bool {
        let folder = (path as NSString).deletingLastPathComponent
        let place = folder.isEmpty ? "." : folder
        var template = Array("\(place)/.key-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw failure(path) }
        let staged = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer {
            close(descriptor)
            unlink(staged)
        }
        let bytes = Array(text.utf8)
        guard fchmod(descriptor, mode) == 0, write(descriptor, bytes, bytes.count) == bytes.count,
            fsync(descriptor) == 0
        else { throw failure(path) }
        // A link, unlike a rename, never replaces a key that another process made meanwhile.
        guard link(staged, path) == 0 else {
            if errno == EEXIST { return false }
            throw failure(path)
        }
        try syncFolder(place)
        return true
    }

    /// Makes names in a folder survive a power cut.
    static func syncFolder(_ path: String) throws {
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failure(path) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw failure(path) }
    }

    /// The system's last error as a failure.
    static func failure(_ path: String) -> SealingFailure {
        .file(path: path, reason: String(cString: strerror(errno)))
    }

    /// The lines of a key text that say something: neither empty nor a comment behind `#`.
    static func lines(_ text: String) -> [(number: Int, words: [Substring])] {
        text.split(omittingEmptySubsequences: false) { $0.isNewline }.enumerated().compactMap { index, line in
            let words = line.split { $0 == " " || $0 == "\t" }
            guard let first = words.first, !first.hasPrefix("#") else { return nil }
            return (index + 1, words)
        }
    }
}
