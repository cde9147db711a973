import Basics
import Foundation

/// An open file, closed when it goes out of scope. Calls that a signal interrupted are made again.
struct OpenFile: ~Copyable {
    let descriptor: Int32
    let path: String

    init(_ path: String, _ flags: Int32, mode: mode_t = 0o644) throws {
        self.path = path
        var opened: Int32
        repeat { opened = open(path, flags | O_CLOEXEC, mode) } while opened < 0 && errno == EINTR
        guard opened >= 0 else { throw StorageFailure.system("opening", path) }
        descriptor = opened
    }

    /// Makes a new file whose name starts with `prefix` and is no other file's.
    init(uniqueBeside prefix: String) throws {
        var template = Array("\(prefix)XXXXXX".utf8CString)
        let opened = mkstemp(&template)
        guard opened >= 0 else { throw StorageFailure.system("making a file in", Folder.parent(prefix)) }
        _ = fcntl(opened, F_SETFD, FD_CLOEXEC)
        descriptor = opened
        path = template.withUnsafeBufferPointer {
            String(decoding: $0.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    deinit { close(descriptor) }

    func writeAll(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            let count = write(descriptor, piece.baseAddress, piece.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw StorageFailure.system("writing", path)
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads at an offset until the buffer is full or the file ends.
    /// - Returns: how many bytes were read.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                throw StorageFailure.system("reading", path)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func sync() throws {
        guard fsync(descriptor) == 0 else { throw StorageFailure.system("flushing", path) }
    }

    func status() throws -> stat {
        var result = stat()
        guard fstat(descriptor, &result) == 0 else { throw StorageFailure.system("looking at", path) }
        return result
    }
}

/// Folders: made, listed and flushed.
enum Folder {
    /// Makes a folder and those above it that are missing, each flushed into the one above.
    static func make(_ path: String) throws {
        if mkdir(path, 0o755) == 0 {
            try sync(parent(path))
            return
        }
        switch errno {
        case EEXIST: return
        case ENOENT where parent(path) != path:
            try make(parent(path))
            try make(path)
        default: throw StorageFailure.system("making the folder", path)
        }
    }

    /// Makes renames and new names in the folder survive a power cut.
    static func sync(_ path: String) throws {
        try OpenFile(path, O_RDONLY | O_DIRECTORY).sync()
    }

    /// The names in a folder, sorted; empty where there is no such folder.
    static func names(_ path: String) throws -> [String] {
        guard let folder = opendir(path) else {
            if errno == ENOENT { return [] }
            throw StorageFailure.system("listing", path)
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
