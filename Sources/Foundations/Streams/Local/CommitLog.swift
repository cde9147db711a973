import Basics
import Foundation
import ObjectStorage
import Synchronization

/// What groups have committed, and transactions: one record each, so that each is there wholly or not at all.
///
/// A transaction's batches stand here with their offsets before they are put into their partitions; after a crash,
/// opening puts in what is missing.
final class CommitLog: Sendable {
    /// One record: offsets by group, and batches by partition.
    struct Entry: Sendable {
        var offsets: [String: [TopicPartition: Int64]] = [:]
        var batches: [(partition: TopicPartition, bytes: [UInt8])] = []
    }

    private struct State {
        /// Nil once closed.
        var log: RecordLog?
        var offsets: [String: [TopicPartition: Int64]] = [:]
        /// Where everything before is told by a later record as well.
        var summarised: RecordPosition
    }

    private let folder: String
    private let state: Mutex<State>
    private static let version: UInt8 = 1
    private static let segmentBytes = 1 << 20
    private static let bytesPerSummary: Int64 = 4 << 20

    /// Opens the log.
    /// - Parameter replay: called with the batches of each transaction, oldest first.
    init(folder: String, replay: ([(partition: TopicPartition, bytes: [UInt8])]) throws -> Void) throws {
        self.folder = folder
        let log = try StreamFailure.translating { try RecordLog(folder: folder, segmentBytes: CommitLog.segmentBytes) }
        var offsets: [String: [TopicPartition: Int64]] = [:]
        try StreamFailure.translating {
            try log.forEach(from: .start) { logged in
                let entry: Entry
                do { entry = try CommitLog.decode(logged.bytes) } catch {
                    throw StreamFailure.damaged(
                        path: folder, offset: logged.position.offset, reason: "it is no commit of a group")
                }
                for (group, own) in entry.offsets { offsets[group, default: [:]].merge(own) { $1 } }
                if !entry.batches.isEmpty { try replay(entry.batches) }
            }
        }
        state = Mutex(State(log: log, offsets: offsets, summarised: log.start))
    }

    /// What a group has committed.
    func offsets(_ group: String) -> [TopicPartition: Int64] { state.withLock { $0.offsets[group] ?? [:] } }

    /// Appends one record. Called by one thread at a time.
    func append(_ entry: Entry) throws {
        let bytes = CommitLog.encode(entry)
        let log = try open()
        try StreamFailure.translating { try log.append(bytes) }
        state.withLock { state in
            for (group, own) in entry.offsets { state.offsets[group, default: [:]].merge(own) { $1 } }
        }
    }

    /// Returns when everything appended before is on the disk.
    func sync() async throws {
        let log = try open()
        do { try await log.sync() } catch let failure as StorageFailure { throw StreamFailure(failure) }
    }

    /// Where the log ends now, when it has grown so much that it should be summarised.
    var dueForSummary: RecordPosition? {
        state.withLock { state in
            guard let end = state.log?.end else { return nil }
            return end.offset - state.summarised.offset >= CommitLog.bytesPerSummary ? end : nil
        }
    }

    /// Writes all offsets anew and removes what lies before `position`. The transactions there must be in their
    /// partitions, and those on the disk.
    func summarise(before position: RecordPosition) throws {
        let all = state.withLock { $0.offsets }
        try append(Entry(offsets: all))
        let log = try open()
        try StreamFailure.translating { try log.removeSegments(before: position) }
        state.withLock { $0.summarised = position }
    }

    /// Gives the file back once nobody uses it any more; calls after it throw `.closed`.
    /// Lets the folder be opened again.
    func close() {
        let log = state.withLock { state in
            defer { state.log = nil }
            return state.log
        }
        log?.release()
    }

    private func open() throws -> RecordLog {
        guard let log = state.withLock({ $0.log }) else { throw StreamFailure.closed(store: folder) }
        return log
    }

    private static func encode(_ entry: Entry) -> [UInt8] {
        var writer = ByteWriter()
        writer.put(version)
        writer.put(UInt32(truncatingIfNeeded: entry.offsets.count))
        for (group, offsets) in entry.offsets {
            writer.put(group)
            writer.put(UInt32(truncatingIfNeeded: offsets.count))
            for (partition, offset) in offsets {
                writer.put(partition)
                writer.put(offset)
            }
        }
        writer.put(UInt32(truncatingIfNeeded: entry.batches.count))
        for (partition, bytes) in entry.batches {
            writer.put(partition)
            writer.put(bytes)
        }
        return writer.bytes
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Entry {
        var reader = ByteReader(bytes)
        guard try reader.number(UInt8.self) == version else { throw ByteReader.Malformed() }
        var entry = Entry()
        for _ in 0..<(try reader.number(UInt32.self)) {
            let group = try reader.text()
            var offsets: [TopicPartition: Int64] = [:]
            for _ in 0..<(try reader.number(UInt32.self)) {
                let partition = try reader.partition()
                offsets[partition] = try reader.number(Int64.self)
            }
            entry.offsets[group] = offsets
        }
        for _ in 0..<(try reader.number(UInt32.self)) {
            entry.batches.append((try reader.partition(), try reader.take()))
        }
        guard reader.isAtEnd else { throw ByteReader.Malformed() }
        return entry
    }
}

extension ByteWriter {
    fileprivate mutating func put(_ partition: TopicPartition) {
        put(partition.topic.text)
        put(UInt32(truncatingIfNeeded: partition.partition))
    }
}

extension ByteReader {
    fileprivate mutating func partition() throws -> TopicPartition {
        let topic = try TopicName(try text())
        return TopicPartition(topic: topic, partition: Int(try number(UInt32.self)))
    }
}
