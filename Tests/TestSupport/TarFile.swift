import Archives
import Foundation

/// Files by name in one tar file, in memory.
public enum TarFile {
    /// A plain file.
    public struct Member: Sendable, Equatable {
        public var name: String
        public var bytes: [UInt8]

        public init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// Writes members in their order.
    public static func write(_ members: [Member]) throws -> [UInt8] {
        let writer = try TarWriter()
        for member in members {
            try writer.begin(member.name, size: Int64(member.bytes.count))
            try writer.write(member.bytes)
        }
        try writer.finish()
        return writer.taken()
    }

    /// Reads every member in order.
    /// - Parameter limit: how many bytes the members may have together.
    public static func read(_ bytes: [UInt8], limit: Int) throws -> [Member] {
        guard let file = tmpfile() else { throw POSIXError(.EIO) }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw POSIXError(.ENOSPC) }
        rewind(file)
        let reader = try TarReader(descriptor: fileno(file))
        var members: [Member] = []
        var room = limit
        while let header = try reader.next() {
            let content = try reader.rest(limit: room)
            room -= content.count
            members.append(Member(name: header.name, bytes: content))
        }
        return members
    }
}
