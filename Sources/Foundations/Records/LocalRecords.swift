import Basics
import ObjectStorage
import Synchronization

/// A channel in a folder of this machine, for one process.
public final class LocalRecords: RecordChannel {
    private let log: RecordLog
    private let history: (any RecordHistory)?
    /// Reads under way: what they may come to is not deleted.
    private let readers = Mutex(0)

    /// - Parameter history: where records go that are taken out of the log; nil where they stay.
    /// - Throws: what opening the record log throws; `StorageFailure.damaged` where the log ends before the history does.
    public init(folder: String, history: (any RecordHistory)? = nil) throws {
        log = try RecordLog(folder: folder)
        self.history = history
        if let end = history?.end, end > log.end {
            log.release()
            throw StorageFailure.damaged(
                path: folder, offset: log.end.offset, reason: "its history goes on to position \(end.offset)")
        }
    }

    public func append(_ record: UnsafeRawBufferPointer) throws { _ = try log.append(record) as RecordPosition }

    public func reader(from position: RecordPosition) async throws -> RecordReader {
        let end = log.end
        return RecordReader { [self] scope, body in
            readers.withLock { $0 += 1 }
            defer { readers.withLock { $0 -= 1 } }
            var position = position
            if let history { position = max(position, try history.read(scope, from: position, upTo: end, body)) }
            _ = try log.forEach(from: position, upTo: end, body)
        }
    }

    /// What a turn of compaction did.
    public struct Compacted: Sendable, Codable, Equatable {
        /// Taken out of the log.
        public var records = 0
        /// Deleted, because they were older than they are kept.
        public var expired = 0

        public init() {}

        mutating func add(_ other: Compacted) {
            records += other.records
            expired += other.expired
        }
    }

    /// Gives whole segments of the log to the history, and deletes them once nobody reads.
    ///
    /// - Parameters:
    ///   - all: also what lies in the segment that is being written; a new one is begun.
    ///   - moment: what was kept before is deleted from the history; nil for nothing.
    ///   - thread: does what blocks; the same one for all turns of a channel.
    /// - Throws: what the log or the history throws; the records are then where they were.
    @discardableResult
    public func compact(
        all: Bool, expiringBefore moment: Timestamp?, on thread: BlockingThread
    ) async throws -> Compacted {
        guard let history else { return Compacted() }
        // What the history has must be in the log after a power cut too, or positions would be given twice.
        try await log.sync()
        return try await thread.run { [self] in
            var compacted = Compacted()
            if all { try log.beginSegment() }
            while let stop = log.segmentStart(after: history.end) {
                let start = history.end
                compacted.records += try history.take(upTo: stop) { body in
                    _ = try log.forEach(from: start, upTo: stop, body)
                }
            }
            try readers.withLock { readers in
                guard readers == 0 else { return }
                _ = try log.removeSegments(before: history.end)
                if let moment { compacted.expired = try history.expire(before: moment) }
            }
            return compacted
        }
    }

    public func close() async {
        try? await log.sync()
        log.release()
    }
}
