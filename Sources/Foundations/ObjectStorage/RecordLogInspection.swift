import Basics
import Foundation

/// What a look at a record log found.
public struct RecordLogInspection: Sendable, Hashable {
    public let segments: Int
    public let bytes: Int64
    /// Bytes of an append that a crash broke off; opening the log removes them.
    public let tornBytes: Int64

    /// Looks at a log without opening or changing it, also while another process appends to it: its segments must follow
    /// each other without a gap, and the last is read through. Blocks while it reads.
    /// - Parameter folder: that of the log.
    /// - Throws: `StorageFailure.damaged` naming file and offset, or what reading throws.
    public init(folder: String) throws {
        let found = try RecordSegment.list(folder)
        var bytes: Int64 = 0
        for (segment, next) in zip(found, found.dropFirst()) {
            let size = Int64(try OpenFile(segment.path, O_RDONLY).status().st_size)
            try segment.check(size, before: next)
            bytes += size
        }
        var torn: Int64 = 0
        if let last = found.last {
            let size = Int64(try OpenFile(last.path, O_RDONLY).status().st_size)
            torn = size - (try RecordRecovery.soundBytes(last, frame: RecordFrame(), size: size))
            bytes += size
        }
        segments = found.count
        self.bytes = bytes
        tornBytes = torn
    }
}
