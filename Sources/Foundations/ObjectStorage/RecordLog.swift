import Basics
import Foundation
import Synchronization

/// An append-only log of binary records in segment files, for many appending threads.
///
/// A record is handed to the operating system before `append` returns, so the death of this process loses nothing that
/// was acknowledged; `sync` makes it survive a power cut, and happens by itself in the background.
public final class RecordLog: Sendable {
    private struct State {
        var segments: [RecordSegment]
        var descriptor: Int32
        /// Bytes in the last segment.
        var length: Int64
        /// Earlier segments that are not flushed yet.
        var retired: [Int32] = []
        var fault: String?
    }

    private let folder: String
    private let segmentBytes: Int64
    private let frame = RecordFrame()
    private let lock: OpenFile
    private let state: Mutex<State>
    private let flusher: RecordFlusher

    /// Opens a log, making its folder, and cuts off what a crash left of an unfinished append.
    /// - Parameters:
    ///   - folder: holds the segment files and nothing else.
    ///   - segmentBytes: a segment of at least this length is followed by a new one.
    ///   - flushMilliseconds: how long after an append its bytes are flushed at the latest.
    /// - Throws: `StorageFailure.inUse` when another process has it open, `.damaged` when an earlier record is unsound.
    public init(folder: String, segmentBytes: Int = 32 << 20, flushMilliseconds: Int = 200) throws {
        try Folder.make(folder)
        let lock = try OpenFile("\(folder)/lock", O_CREAT | O_RDWR)
        guard flock(lock.descriptor, LOCK_EX | LOCK_NB) == 0 else { throw StorageFailure.inUse(path: folder) }
        var segments = try RecordSegment.list(folder)
        for (segment, next) in zip(segments, segments.dropFirst()) {
            let size = Int64(try OpenFile(segment.path, O_RDONLY).status().st_size)
            try segment.check(size, before: next)
        }
        var length: Int64 = 0
        if let last = segments.last {
            length = try RecordRecovery.recover(last, frame: frame)
        } else {
            segments = [RecordSegment(folder: folder, start: 0)]
        }
        let last = segments[segments.count - 1]
        self.folder = folder
        self.segmentBytes = Int64(max(1, segmentBytes))
        self.lock = lock
        state = Mutex(
            State(segments: segments, descriptor: try RecordLog.openForAppending(last), length: length))
        flusher = RecordFlusher(name: folder, delayMilliseconds: flushMilliseconds)
    }

    deinit {
        state.withLock { state in
            for descriptor in state.retired + [state.descriptor] {
                fsync(descriptor)
                close(descriptor)
            }
        }
    }

    /// Takes no more records and lets the folder be opened again, at once, whoever still holds this value. What was not
    /// flushed is with the operating system; call `sync` first where that is not enough.
    public func release() {
        state.withLock { $0.fault = $0.fault ?? "it was closed" }
        flock(lock.descriptor, LOCK_UN)
    }

    /// Where the next record will start.
    public var end: RecordPosition { state.withLock { RecordLog.end($0) } }

    /// Where the oldest record that is still there starts.
    public var start: RecordPosition {
        state.withLock { RecordPosition(offset: $0.segments.first?.start ?? 0) }
    }

    /// Appends one record with one write to the operating system. Safe from any thread; blocks no longer than that.
    /// - Returns: where the record lies.
    /// - Throws: `StorageFailure.diskFull` and the like; the log is then as it was before.
    @discardableResult
    public func append(_ record: UnsafeRawBufferPointer) throws -> RecordPosition {
        guard record.count <= RecordFrame.limit else {
            throw StorageFailure.recordTooLarge(bytes: record.count, limit: RecordFrame.limit)
        }
        var header = frame.header(for: record)
        let position = try state.withLock { state in
            if let fault = state.fault { throw StorageFailure.unusable(path: folder, reason: fault) }
            if state.length >= segmentBytes { try startSegment(&state) }
            let position = RecordLog.end(state)
            try withUnsafeMutableBytes(of: &header) { try write($0, record, &state) }
            return position
        }
        flusher.noteAppend { [weak self] in self?.flush() }
        return position
    }

    /// The same for an array.
    @discardableResult
    public func append(_ record: [UInt8]) throws -> RecordPosition { try record.withUnsafeBytes { try append($0) } }

    /// Returns when everything appended before is on the disk. Calls that wait together share one flush.
    /// - Throws: `StorageFailure.unusable` when the disk refused; the log then takes no more records.
    public func sync() async throws {
        await flusher.flush { self.flush() }
        if let fault = state.withLock({ $0.fault }) { throw StorageFailure.unusable(path: folder, reason: fault) }
    }

    /// Hands over the records from a position to the present end, oldest first. Blocks while it reads; records may be
    /// appended meanwhile.
    /// - Parameters:
    ///   - position: where a record starts, such as `LoggedRecord.next` of an earlier call; positions before the oldest
    ///     record mean the oldest.
    ///   - limit: stop before records at or after this position.
    /// - Returns: where to go on next time.
    /// - Throws: `StorageFailure.damaged` naming file and offset, `.positionOutside`, or what `body` throws.
    @discardableResult
    public func forEach(
        from position: RecordPosition = .start, upTo limit: RecordPosition? = nil,
        _ body: (LoggedRecord) throws -> Void
    ) throws -> RecordPosition {
        let (segments, end) = state.withLock { ($0.segments, RecordLog.end($0)) }
        let last = min(end, limit ?? end)
        guard position <= end else { throw StorageFailure.positionOutside(position.offset, path: folder) }
        var reached = max(position, RecordPosition(offset: segments.first?.start ?? 0))
        for (index, segment) in segments.enumerated() {
            let next = index + 1 < segments.count ? segments[index + 1].start : end.offset
            let stop = min(next, last.offset)
            guard reached.offset < stop else { continue }
            try segment.forEach(from: reached.offset - segment.start, to: stop - segment.start, frame: frame) {
                record in
                try body(record)
                reached = record.next
            }
        }
        return reached
    }

    /// Where the first segment begins that begins after a position; nil where none does.
    public func segmentStart(after position: RecordPosition) -> RecordPosition? {
        state.withLock { state in
            state.segments.first { $0.start > position.offset }.map { RecordPosition(offset: $0.start) }
        }
    }

    /// Begins a new segment, so that all records before lie in whole ones; does nothing where no record would.
    /// - Throws: `StorageFailure` where there is no room for it; the log is then as it was.
    public func beginSegment() throws {
        try state.withLock { state in
            if let fault = state.fault { throw StorageFailure.unusable(path: folder, reason: fault) }
            if state.length > 0 { try startSegment(&state) }
        }
    }

    /// Deletes the segments that lie wholly before a position, such as those already compacted.
    /// - Returns: how many files were deleted.
    @discardableResult
    public func removeSegments(before position: RecordPosition) throws -> Int {
        let old = state.withLock { state in
            let count = zip(state.segments, state.segments.dropFirst())
                .prefix { $0.1.start <= position.offset }.count
            let old = Array(state.segments.prefix(count))
            state.segments.removeFirst(count)
            return old
        }
        for segment in old where unlink(segment.path) != 0 && errno != ENOENT {
            throw StorageFailure.system("deleting", segment.path)
        }
        if !old.isEmpty { try Folder.sync(folder) }
        return old.count
    }

    private static func end(_ state: borrowing State) -> RecordPosition {
        RecordPosition(offset: (state.segments.last?.start ?? 0) + state.length)
    }

    private func write(
        _ header: UnsafeMutableRawBufferPointer, _ record: UnsafeRawBufferPointer, _ state: inout State
    ) throws {
        let wanted = header.count + record.count
        var written: Int
        repeat {
            written = withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
                parts[0] = iovec(iov_base: header.baseAddress, iov_len: header.count)
                parts[1] = iovec(iov_base: UnsafeMutableRawPointer(mutating: record.baseAddress), iov_len: record.count)
                return writev(state.descriptor, parts.baseAddress, 2)
            }
        } while written < 0 && errno == EINTR
        if written == wanted {
            state.length += Int64(wanted)
            return
        }
        // A short write means the disk became full in the middle.
        let path = state.segments.last?.path ?? folder
        let failure = written < 0 ? StorageFailure.system("appending to", path) : .diskFull(path: path)
        if ftruncate(state.descriptor, off_t(state.length)) != 0 {
            state.fault = "a partial record could not be cut off"
        }
        throw failure
    }

    private func startSegment(_ state: inout State) throws {
        let segment = RecordSegment(folder: folder, start: RecordLog.end(state).offset)
        let descriptor = try RecordLog.openForAppending(segment)
        state.retired.append(state.descriptor)
        state.descriptor = descriptor
        state.segments.append(segment)
        state.length = 0
    }

    private static func openForAppending(_ segment: RecordSegment) throws -> Int32 {
        let descriptor = open(segment.path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw StorageFailure.system("opening", segment.path) }
        do { try Folder.sync(segment.folder) } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Runs on the flusher's thread only, which alone closes earlier segments.
    private func flush() {
        let (retired, current) = state.withLock { state in
            defer { state.retired = [] }
            return (state.retired, state.descriptor)
        }
        var failed = fsync(current) != 0
        for descriptor in retired {
            failed = fsync(descriptor) != 0 || failed
            close(descriptor)
        }
        // After a failed flush the system may have dropped the bytes, and a later flush would not tell.
        if failed { state.withLock { $0.fault = "the disk refused to flush" } }
    }
}
