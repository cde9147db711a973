import Basics
import CArchive

/// Files by name in one tar file (POSIX pax), in memory. The same members give the same bytes.
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

    /// What the library hands out while it writes.
    private final class Output {
        var bytes: [UInt8] = []
    }

    /// Writes members in their order; their names are of ASCII. Blocks while it works.
    /// - Throws: ``ArchiveFailure/failed(_:)``.
    public static func write(_ members: [Member]) throws -> [UInt8] {
        guard let archive = archive_write_new() else { throw ArchiveFailure.failed("there is no memory for it") }
        defer { archive_write_free(archive) }
        func check(_ code: Int32) throws {
            guard code == ARCHIVE_OK else { throw ArchiveFailure.failed(reason(archive)) }
        }
        try check(archive_write_set_format_pax_restricted(archive))
        let output = Output()
        try withExtendedLifetime(output) {
            try check(
                archive_write_open(
                    archive, Unmanaged.passUnretained(output).toOpaque(), nil,
                    { _, context, buffer, count in
                        guard let context, let buffer else { return 0 }
                        let output = Unmanaged<Output>.fromOpaque(context).takeUnretainedValue()
                        output.bytes.append(contentsOf: UnsafeRawBufferPointer(start: buffer, count: count))
                        return count
                    }, nil))
            for member in members {
                guard let entry = archive_entry_new() else { throw ArchiveFailure.failed("there is no memory for it") }
                defer { archive_entry_free(entry) }
                // What the library makes of other letters depends on the locale of the process.
                guard member.name.utf8.allSatisfy({ $0 > 31 && $0 < 127 }) else {
                    throw ArchiveFailure.failed("the name '\(member.name)' is not of ASCII letters")
                }
                archive_entry_set_pathname(entry, member.name)
                archive_entry_set_size(entry, Int64(member.bytes.count))
                archive_entry_set_filetype(entry, 0o100000)
                archive_entry_set_perm(entry, 0o644)
                archive_entry_set_mtime(entry, 0, 0)
                try check(archive_write_header(archive, entry))
                var written = 0
                try member.bytes.withUnsafeBytes { bytes in
                    while written < bytes.count {
                        let count = archive_write_data(
                            archive, bytes.baseAddress?.advanced(by: written), bytes.count - written)
                        guard count > 0 else { throw ArchiveFailure.failed(reason(archive)) }
                        written += Int(count)
                    }
                }
            }
            try check(archive_write_close(archive))
        }
        return output.bytes
    }

    /// Reads every member in order; any that is no plain file is refused. Blocks while it works.
    /// - Parameter limit: how many bytes the members may have together.
    /// - Throws: ``ArchiveFailure``.
    public static func read(_ bytes: [UInt8], limit: Int) throws -> [Member] {
        guard let archive = archive_read_new() else { throw ArchiveFailure.failed("there is no memory for it") }
        defer { archive_read_free(archive) }
        return try bytes.withUnsafeBytes { source in
            guard archive_read_support_format_tar(archive) == ARCHIVE_OK,
                archive_read_open_memory(archive, source.baseAddress, source.count) == ARCHIVE_OK
            else { throw ArchiveFailure.damaged(reason(archive)) }
            var members: [Member] = []
            var total = 0
            while true {
                var found: OpaquePointer?
                let code = archive_read_next_header(archive, &found)
                if code == ARCHIVE_EOF { return members }
                guard code == ARCHIVE_OK, let entry = found, let name = archive_entry_pathname(entry) else {
                    throw ArchiveFailure.damaged(reason(archive))
                }
                let path = String(cString: name)
                guard archive_entry_filetype(entry) == 0o100000, archive_entry_hardlink(entry) == nil else {
                    throw ArchiveFailure.notAFile(path)
                }
                let content = try content(of: archive, limit: limit - total)
                guard let content else { throw ArchiveFailure.tooLarge(limit: limit) }
                total += content.count
                members.append(Member(name: path, bytes: content))
            }
        }
    }

    /// The bytes of the member that was come to; nil where there are too many. What a header says of its size is not relied on.
    private static func content(of archive: OpaquePointer, limit: Int) throws -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = archive_read_data(archive, &buffer, buffer.count)
            guard count >= 0 else { throw ArchiveFailure.damaged(reason(archive)) }
            if count == 0 { return bytes }
            guard bytes.count + Int(count) <= limit else { return nil }
            bytes.append(contentsOf: buffer.prefix(Int(count)))
        }
    }

    private static func reason(_ archive: OpaquePointer) -> String {
        archive_error_string(archive).map { String(cString: $0) } ?? "it is of no known form"
    }
}
