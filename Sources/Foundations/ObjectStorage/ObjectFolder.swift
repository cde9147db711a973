import Basics
import Foundation

/// The files of a store on disk: `objects/ab/cdef...` under a root, staged in `tmp`. Every call blocks.
struct ObjectFolder: Sendable {
    let root: String
    static let chunk = 1 << 20

    /// Makes the folders and removes what a crash left half written.
    init(root: String) throws {
        self.root = root
        try Folder.make("\(root)/objects")
        try Folder.make("\(root)/tmp")
        try StagedFile.removeLeftovers(in: "\(root)/tmp")
    }

    var staging: String { "\(root)/tmp" }

    func path(_ name: Digest) -> String { "\(root)/objects/\(name.hex.prefix(2))/\(name.hex.dropFirst(2))" }

    /// The final path of a new object, its folder made.
    func place(_ name: Digest) throws -> String {
        let path = path(name)
        try Folder.make(Folder.parent(path))
        return path
    }

    func contains(_ name: Digest) -> Bool { access(path(name), F_OK) == 0 }

    func size(_ name: Digest) throws -> Int64 {
        try naming(name) { Int64(try OpenFile(path(name), O_RDONLY).status().st_size) }
    }

    func delete(_ name: Digest) throws {
        let path = path(name)
        if unlink(path) == 0 {
            try Folder.sync(Folder.parent(path))
        } else if errno != ENOENT {
            throw StorageFailure.system("deleting", path)
        }
    }

    func list() throws -> [Digest] {
        try Folder.names("\(root)/objects").flatMap { shard in
            try Folder.names("\(root)/objects/\(shard)").compactMap { Digest(shard + $0) }
        }
    }

    /// Turns the absence of a file into the absence of an object.
    func naming<Value: ~Copyable>(_ name: Digest, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch StorageFailure.notFound {
            throw StorageFailure.objectNotFound(name)
        }
    }

    /// Writes, reads and removes a probe; the time in seconds it took.
    func probe() throws -> StoreReport {
        let start = SystemTime.monotonicNanoseconds
        let staged = try StagedFile(in: staging, mode: 0o600)
        let sent = Array("probe".utf8)
        try sent.withUnsafeBytes { try staged.file.writeAll($0) }
        try staged.file.sync()
        var received = [UInt8](repeating: 0, count: sent.count)
        let count = try received.withUnsafeMutableBytes { try staged.file.read(into: $0, at: 0) }
        guard count == sent.count, received == sent else {
            throw StorageFailure.damaged(path: staged.file.path, offset: 0, reason: "the probe was not read as written")
        }
        let nanoseconds = SystemTime.monotonicNanoseconds &- start
        var report = StoreReport(engine: "file", place: "file:\(root)", seconds: Double(nanoseconds) * 1e-9)
        var space = statvfs()
        if statvfs(root, &space) == 0 {
            let (free, over) = UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize))
            report.freeBytes = over ? .max : Int64(clamping: free)
            if let free = report.freeBytes, free < 64 << 20 {
                report.warnings.append("'\(root)' has only \(free >> 20) MiB free")
            }
        }
        return report
    }

    /// Reads a whole file in pieces, handing each on.
    static func digest(
        _ file: borrowing OpenFile, _ each: (UnsafeRawBufferPointer) throws -> Void = { _ in }
    ) throws -> (digest: Digest, size: Int64) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk, alignment: 16)
        defer { buffer.deallocate() }
        var builder = Digest.Builder()
        var offset: Int64 = 0
        while true {
            let count = try file.read(into: buffer, at: offset)
            if count == 0 { break }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            builder.update(piece)
            try each(piece)
            offset += Int64(count)
        }
        return (builder.finish(), offset)
    }
}
