import Basics
import Foundation
import ObjectStorage
import Synchronization

/// One partition on disk: batches in a record log, and where they lie.
final class PartitionLog: Sendable {
    /// Where a reader goes on: an offset, and the batch it is in where that is known.
    struct Cursor: Sendable, Hashable {
        var offset: Int64
        var position: RecordPosition?
    }

    private struct State {
        var index: PartitionIndex
        /// How much of the log the saved index covers.
        var saved: Int64
        var listeners: [ObjectIdentifier: Wakeup] = [:]
    }

    /// Ends a pass over the log early.
    private struct Enough: Error {}

    let id: TopicPartition
    private let folder: String
    private let log: RecordLog
    private let state: Mutex<State>
    private static let bytesPerRead = 16 << 20
    private static let bytesPerSave: Int64 = 8 << 20

    /// Opens the partition, cutting off what a crash left unfinished.
    /// - Parameters:
    ///   - folder: holds the segments; its index lies beside it.
    ///   - segmentBytes: a segment of at least this length is followed by a new one.
    /// - Throws: `StreamFailure.damaged` naming file and byte.
    init(_ id: TopicPartition, folder: String, segmentBytes: Int) throws {
        self.id = id
        self.folder = folder
        let log = try StreamFailure.translating { try RecordLog(folder: folder, segmentBytes: segmentBytes) }
        var index = PartitionIndex.load("\(folder).index") ?? PartitionIndex()
        let end = log.end
        guard index.end <= end.offset else {
            throw StreamFailure.damaged(
                path: folder, offset: end.offset,
                reason: "it ends there, but \(index.end) bytes of it were on the disk once")
        }
        let saved = index.end
        let from = index.entries.isEmpty ? log.start : RecordPosition(offset: index.end)
        try StreamFailure.translating {
            try log.forEach(from: from) { logged in
                var reader = ByteReader(logged.bytes)
                guard let header = try? RecordBatch.Header(&reader), header.base >= index.next else {
                    throw StreamFailure.damaged(
                        path: folder, offset: logged.position.offset, reason: "it is no batch that could stand there")
                }
                index.add(header, at: logged.position, end: logged.next)
            }
        }
        if let first = index.entries.first, first.position < log.start.offset {
            let offset = try PartitionLog.firstOffset(log)
            index.removeAll(before: log.start, first: offset ?? index.next)
        }
        self.log = log
        state = Mutex(State(index: index, saved: saved))
    }

    /// The offset of the next record.
    var end: Int64 { state.withLock { $0.index.next } }

    /// The offset of the oldest record.
    var start: Int64 { state.withLock { $0.index.entries.first?.offset ?? $0.index.next } }

    /// Appends a batch. Called by one thread at a time.
    /// - Returns: the offset of the first record.
    @discardableResult
    func append(_ batch: RecordBatch, now: Timestamp) throws -> Int64 { try append(place(batch, now: now)) }

    /// Appends a batch as it was encoded with its place; one that is there already is left out.
    @discardableResult
    func append(_ bytes: [UInt8]) throws -> Int64 {
        let header = try bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return try RecordBatch.Header(&reader)
        }
        guard header.base >= end else { return header.base }
        let position = try StreamFailure.translating { try log.append(bytes) }
        let listeners = state.withLock { state in
            state.index.add(header, at: position, end: log.end)
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.signal() }
        return header.base
    }

    /// The bytes of a batch with the place it would get now.
    func place(_ batch: RecordBatch, now: Timestamp) -> [UInt8] {
        var batch = batch
        return state.withLock { state in
            batch.bytes(
                base: state.index.next, appended: state.index.stamp(now.microseconds / 1000))
        }
    }

    /// Returns when everything appended before is on the disk.
    func sync() async throws {
        do { try await log.sync() } catch let failure as StorageFailure { throw StreamFailure(failure) }
    }

    /// Reads records and moves the cursor behind them. Blocks while it reads.
    /// - Returns: at most `limit` records and about 16 MiB; at least one where there is one.
    func read(_ cursor: inout Cursor, limit: Int) throws -> [StreamedRecord] {
        for _ in 0..<3 {
            do {
                return try readOnce(&cursor, limit: limit)
            } catch StreamFailure.storage(.notFound) {
                // The retention removed the segment meanwhile.
                cursor.position = nil
            }
        }
        return try readOnce(&cursor, limit: limit)
    }

    private func readOnce(_ cursor: inout Cursor, limit: Int) throws -> [StreamedRecord] {
        let (entry, next) = state.withLock { ($0.index.entry(before: cursor.offset), $0.index.next) }
        guard let entry, cursor.offset < next, limit > 0 else { return [] }
        var records: [StreamedRecord] = []
        var bytes = 0
        var reached = cursor
        let known = cursor.position.flatMap { $0.offset >= entry.position ? $0 : nil }
        do {
            try StreamFailure.translating {
                try log.forEach(from: known ?? RecordPosition(offset: entry.position)) { logged in
                    var isWhole = true
                    do {
                        try RecordBatch.forEach(logged.bytes, from: reached.offset) { record, offset in
                            guard records.count < limit, bytes < PartitionLog.bytesPerRead else {
                                isWhole = false
                                return false
                            }
                            records.append(
                                StreamedRecord(
                                    record: record,
                                    position: StreamPosition(
                                        topic: id.topic, partition: id.partition, offset: offset)))
                            bytes += record.payloadBytes
                            reached.offset = offset + 1
                            return true
                        }
                    } catch is ByteReader.Malformed {
                        throw StreamFailure.damaged(
                            path: folder, offset: logged.position.offset, reason: "it is no batch of records")
                    }
                    reached.position = isWhole ? logged.next : logged.position
                    guard isWhole, records.count < limit, bytes < PartitionLog.bytesPerRead else { throw Enough() }
                }
            }
        } catch is Enough {}
        cursor = reached
        return records
    }

    /// Tells `listener` of each append from now on.
    func listen(_ listener: Wakeup) { state.withLock { $0.listeners[ObjectIdentifier(listener)] = listener } }

    func unlisten(_ listener: Wakeup) { state.withLock { $0.listeners[ObjectIdentifier(listener)] = nil } }

    /// Removes the segments that the retention gives up. Called by the appending thread.
    func expire(_ retention: TopicRetention, now: Timestamp) throws {
        let position = state.withLock { $0.index.expired(retention, now: now.microseconds / 1000) }
        guard position > log.start else { return }
        try StreamFailure.translating {
            guard try log.removeSegments(before: position) > 0 else { return }
            guard let first = try PartitionLog.firstOffset(log) else { return }
            state.withLock { $0.index.removeAll(before: log.start, first: first) }
        }
    }

    /// Saves the index where much was appended since it was saved, so that the next opening need not read it all.
    func saveIndex() async throws {
        let index = state.withLock { $0.index.end - $0.saved >= PartitionLog.bytesPerSave ? $0.index : nil }
        guard let index else { return }
        try await sync()
        try StreamFailure.translating { try index.save("\(folder).index") }
        state.withLock { $0.saved = index.end }
    }

    /// Takes no more batches and lets the folder be opened again.
    func release() { log.release() }

    private static func firstOffset(_ log: RecordLog) throws -> Int64? {
        var first: Int64?
        do {
            try log.forEach(from: log.start) { logged in
                var reader = ByteReader(logged.bytes)
                first = try RecordBatch.Header(&reader).base
                throw Enough()
            }
        } catch is Enough {}
        return first
    }
}
