import Basics
import CArchive
import Synchronization

/// Writes a tar file (POSIX pax) of plain files, in pieces that are taken as they come out: memory stays bounded. The same
/// members give the same bytes, however they are cut into pieces. One call at a time.
public final class TarWriter: Sendable {
    /// What the library hands out while it writes.
    private final class Output {
        var bytes: [UInt8] = []
    }

    private struct State: ~Copyable {
        let archive: OpaquePointer
        let output = Output()
        /// How many bytes of the present member have yet to come.
        var missing: Int64 = 0

        // The library may hand out its last bytes here.
        deinit { withExtendedLifetime(output) { _ = archive_write_free(archive) } }
    }

    private let state: Mutex<State>

    /// - Throws: ``ArchiveFailure/failed(_:)``.
    public init() throws {
        guard let archive = archive_write_new() else { throw ArchiveFailure.failed("there is no memory for it") }
        let state = State(archive: archive)
        try archive.check(archive_write_set_format_pax_restricted(archive))
        try archive.check(
            archive_write_open(
                archive, Unmanaged.passUnretained(state.output).toOpaque(), nil,
                { _, context, buffer, count in
                    guard let context, let buffer else { return 0 }
                    let output = Unmanaged<Output>.fromOpaque(context).takeUnretainedValue()
                    output.bytes.append(contentsOf: UnsafeRawBufferPointer(start: buffer, count: count))
                    return count
                }, nil))
        self.state = Mutex(state)
    }

    /// Begins the next member, whose bytes come by ``write(_:)``.
    /// - Parameter name: of printable ASCII: what the library makes of other letters depends on the locale of the process.
    /// - Throws: ``ArchiveFailure/failed(_:)``.
    public func begin(_ name: String, size: Int64) throws {
        guard name.utf8.allSatisfy({ $0 > 31 && $0 < 127 }) else {
            throw ArchiveFailure.failed("the name '\(name)' is not of ASCII letters")
        }
        try state.withLock { state in
            try Self.checkWhole(state.missing)
            guard let entry = archive_entry_new() else { throw ArchiveFailure.failed("there is no memory for it") }
            defer { archive_entry_free(entry) }
            archive_entry_set_pathname(entry, name)
            archive_entry_set_size(entry, size)
            archive_entry_set_filetype(entry, 0o100000)
            archive_entry_set_perm(entry, 0o644)
            archive_entry_set_mtime(entry, 0, 0)
            try state.archive.check(archive_write_header(state.archive, entry))
            state.missing = size
        }
    }

    /// Writes the next bytes of the member that was begun.
    /// - Throws: ``ArchiveFailure/failed(_:)`` where it gets more than its size.
    public func write(_ bytes: [UInt8]) throws {
        try state.withLock { state in
            guard bytes.count <= state.missing else {
                throw ArchiveFailure.failed("a file has more bytes than its size")
            }
            let archive = state.archive
            try bytes.withUnsafeBytes { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let piece = UnsafeRawBufferPointer(rebasing: rest)
                    let count = archive_write_data(archive, piece.baseAddress, piece.count)
                    guard count > 0 else { throw ArchiveFailure.failed(archive.reason) }
                    rest = rest.dropFirst(Int(count))
                }
            }
            state.missing -= Int64(bytes.count)
        }
    }

    /// Ends the archive; its last bytes can then be taken.
    /// - Throws: ``ArchiveFailure/failed(_:)`` where the last member is not whole.
    public func finish() throws {
        try state.withLock { state in
            try Self.checkWhole(state.missing)
            try state.archive.check(archive_write_close(state.archive))
        }
    }

    /// The bytes that came out since they were taken last.
    public func taken() -> [UInt8] {
        state.withLock { state in
            let bytes = state.output.bytes
            state.output.bytes = []
            return bytes
        }
    }

    private static func checkWhole(_ missing: Int64) throws {
        guard missing == 0 else { throw ArchiveFailure.failed("a file has \(missing) bytes less than its size") }
    }
}

extension OpaquePointer {
    /// What the library says of an archive's last failure.
    var reason: String { archive_error_string(self).map { String(cString: $0) } ?? "it is of no known form" }

    fileprivate func check(_ code: Int32) throws {
        guard code == ARCHIVE_OK else { throw ArchiveFailure.failed(reason) }
    }
}
