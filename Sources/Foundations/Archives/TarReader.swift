import Basics
import CArchive
import Synchronization

/// Reads a tar file member by member, from the first to the last: memory stays bounded. Every call blocks while it reads;
/// one at a time.
public final class TarReader: Sendable {
    /// What stands before a member's bytes.
    public struct Header: Sendable, Equatable {
        public let name: String
        /// How many bytes it says to have.
        public let size: Int64
    }

    private struct State: ~Copyable {
        let archive: OpaquePointer
        /// What the header says of the present member.
        var size: Int64 = 0

        deinit { archive_read_free(archive) }
    }

    private let state: Mutex<State>
    private static let piece = 1 << 20
    private static let block = 1 << 16

    /// - Parameter descriptor: an open file, which is read from where it stands and must stay open as long as it is read.
    /// - Throws: ``ArchiveFailure/damaged(_:)``.
    public init(descriptor: Int32) throws {
        guard let archive = archive_read_new() else { throw ArchiveFailure.failed("there is no memory for it") }
        let state = State(archive: archive)
        guard archive_read_support_format_tar(archive) == ARCHIVE_OK,
            archive_read_open_fd(archive, descriptor, Self.block) == ARCHIVE_OK
        else { throw ArchiveFailure.damaged(archive.reason) }
        self.state = Mutex(state)
    }

    /// Goes on to the next member.
    /// - Returns: nil at the end.
    /// - Throws: ``ArchiveFailure/notAFile(_:)`` for what is no plain file, ``ArchiveFailure/damaged(_:)``.
    public func next() throws -> Header? {
        try state.withLock { state in
            var found: OpaquePointer?
            let code = archive_read_next_header(state.archive, &found)
            if code == ARCHIVE_EOF { return nil }
            guard code == ARCHIVE_OK, let entry = found, let name = archive_entry_pathname(entry) else {
                throw ArchiveFailure.damaged(state.archive.reason)
            }
            let header = Header(name: String(cString: name), size: archive_entry_size(entry))
            guard archive_entry_filetype(entry) == 0o100000, archive_entry_hardlink(entry) == nil else {
                throw ArchiveFailure.notAFile(header.name)
            }
            state.size = header.size
            return header
        }
    }

    /// The next bytes of the member that was come to, a mebibyte at most; nil at its end. What its header says of its size
    /// is not relied on.
    /// - Throws: ``ArchiveFailure/damaged(_:)``.
    public func piece() throws -> [UInt8]? {
        try state.withLock { state in
            let archive = state.archive
            let room = Int(min(Int64(Self.piece), max(1, state.size)))
            let bytes = try [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                while count < buffer.count {
                    let read = archive_read_data(archive, buffer.baseAddress?.advanced(by: count), buffer.count - count)
                    guard read >= 0 else { throw ArchiveFailure.damaged(archive.reason) }
                    if read == 0 { break }
                    count += Int(read)
                }
            }
            return bytes.isEmpty ? nil : bytes
        }
    }

    /// All that is left of the member that was come to.
    /// - Throws: ``ArchiveFailure/tooLarge(limit:)`` where it is more than `limit` bytes, ``ArchiveFailure/damaged(_:)``.
    public func rest(limit: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try piece() {
            guard piece.count <= limit - bytes.count else { throw ArchiveFailure.tooLarge(limit: limit) }
            bytes += piece
        }
        return bytes
    }
}
