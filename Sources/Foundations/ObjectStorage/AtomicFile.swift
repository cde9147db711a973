import Basics
import Foundation

/// Writes whole files so that a reader, or a restart after a crash, sees the old content or the new, never a part.
public enum AtomicFile {
    /// Writes beside the file, flushes, renames over it and flushes the folder. Blocks while the disk works.
    /// - Throws: `StorageFailure`; the file is then as it was before.
    public static func write(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws {
        try bytes.withUnsafeBytes { try write(path, $0, mode: mode) }
    }

    /// The same, from memory of the caller.
    public static func write(_ path: String, _ bytes: UnsafeRawBufferPointer, mode: UInt32 = 0o644) throws {
        let staged = try StagedFile(in: Folder.parent(path), mode: mode_t(mode))
        try staged.file.writeAll(bytes)
        try staged.publish(as: path)
    }

    /// The whole content of a file.
    /// - Throws: `StorageFailure.notFound` where there is none.
    public static func read(_ path: String) throws -> [UInt8] {
        let file = try OpenFile(path, O_RDONLY)
        let size = Int(try file.status().st_size)
        return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
    }
}

/// A file that is not yet visible under its name. Dropped without `publish`, it leaves nothing behind.
struct StagedFile: ~Copyable {
    static let prefix = ".staged-"
    let file: OpenFile

    /// Makes an empty file in `folder`, which must be on the file system of the final name.
    init(in folder: String, mode: mode_t) throws {
        while true {
            let file = try OpenFile(uniqueBeside: "\(folder)/\(StagedFile.prefix)")
            // The lock tells the clean-up of another process that this is no leftover. Where the clean-up came in
            // between, the file has no name any more.
            guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0, try file.status().st_nlink > 0 else { continue }
            guard fchmod(file.descriptor, mode) == 0 else {
                let failure = StorageFailure.system("setting the rights of", file.path)
                unlink(file.path)
                throw failure
            }
            self.file = file
            return
        }
    }

    deinit { unlink(file.path) }

    /// Flushes the content and gives the file its name; an existing file of that name is replaced.
    consuming func publish(as path: String) throws {
        try file.sync()
        guard rename(file.path, path) == 0 else { throw StorageFailure.system("publishing", path) }
        try Folder.sync(Folder.parent(path))
    }

    /// Removes what crashed processes left in `folder`.
    static func removeLeftovers(in folder: String) throws {
        for name in try Folder.names(folder) where name.hasPrefix(prefix) {
            let path = "\(folder)/\(name)"
            guard let file = try? OpenFile(path, O_RDONLY) else { continue }
            if flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(path) }
        }
    }
}
