import Foundation

/// A file system in memory of a few bytes, for full-disk tests. Needs the right to mount.
public final class SmallDisk: Sendable {
    public let path: String

    /// Whether this process may mount.
    public static let isPermitted: Bool = (try? SmallDisk(kilobytes: 64)) != nil

    public init(kilobytes: Int) throws {
        var template = Array("/tmp/modelworks-disk-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw POSIXError(.EIO) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(kilobytes)k") == 0 else {
            rmdir(path)
            throw POSIXError(.EPERM)
        }
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        rmdir(path)
    }
}
