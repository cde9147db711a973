import Basics
import Foundation
import Synchronization
import Telemetry

/// A consumer of the local log.
final class LocalConsumer: StreamConsumer {
    private struct State {
        var generation: UInt64 = 0
        var cursors: [TopicPartition: PartitionLog.Cursor] = [:]
        /// Partitions with records polled and not committed.
        var polled: Set<TopicPartition> = []
        /// Whether a partition went to another consumer before its records were committed.
        var hasLost = false
        var isClosed = false
        /// The partition to look at first, so that none starves the others.
        var turn = 0
    }

    let group: String
    let id: UInt64
    private let store: LocalStreams
    private let start: StreamStart
    private let wakeup: Wakeup
    private let state = Mutex(State())

    init(_ store: LocalStreams, group: String, partitions: Set<TopicPartition>, start: StreamStart) {
        self.store = store
        self.group = group
        self.start = start
        wakeup = Wakeup(timers: store.timers)
        id = store.groups.join(group, partitions: partitions, wakeup: wakeup)
        try? adopt()
    }

    deinit { leave() }

    func belongs(to store: LocalStreams) -> Bool { self.store === store }

    func poll(limit: Int, wait: Duration) async throws -> [StreamedRecord] {
        let deadline = SystemTime.monotonicNanoseconds &+ UInt64(wait.clampedNanoseconds)
        while true {
            try adopt()
            let ready = try ready()
            if !ready.isEmpty, limit > 0 {
                let records = try await store.readers.run { try LocalConsumer.read(ready, limit: limit) }
                let kept = keep(records)
                if !kept.isEmpty {
                    store.metrics.consumed.increment(by: UInt64(kept.count))
                    return kept
                }
            }
            let now = SystemTime.monotonicNanoseconds
            guard now < deadline, limit > 0 else { return [] }
            try Task.checkCancellation()
            if ready.isEmpty { await wakeup.wait(nanoseconds: Int64(clamping: deadline - now)) }
        }
    }

    func commit() async throws {
        try adopt()
        let offsets = state.withLock { LocalConsumer.uncommitted($0) }
        let owned = offsets.isEmpty ? [] : try await store.commit(self, offsets)
        let hasLost = state.withLock { state in
            state.polled.subtract(offsets.keys)
            defer { state.hasLost = false }
            return state.hasLost
        }
        guard owned.count == offsets.count, !hasLost else { throw StreamFailure.assignmentLost(group: group) }
    }

    func rewind() async throws {
        try adopt()
        let partitions = state.withLock { state in
            state.polled = []
            state.hasLost = false
            return Array(state.cursors.keys)
        }
        let cursors = try beginnings(partitions)
        state.withLock { state in
            for (partition, cursor) in cursors where state.cursors[partition] != nil {
                state.cursors[partition] = cursor
            }
        }
    }

    func seek(_ partition: TopicPartition, to offset: Int64) async throws {
        try adopt()
        state.withLock { state in
            guard state.cursors[partition] != nil else { return }
            state.cursors[partition] = PartitionLog.Cursor(offset: offset)
            state.polled.remove(partition)
        }
    }

    var generation: UInt64 {
        try? adopt()
        return state.withLock { $0.generation }
    }

    func lag() async throws -> [StreamLag] {
        try adopt()
        let committed = store.commits.offsets(group)
        let lag = try assignment.map { id in
            let log = try store.partition(id)
            return StreamLag(partition: id, committed: max(committed[id] ?? log.start, log.start), end: log.end)
        }
        store.metrics.show(lag, group: group)
        return lag
    }

    var assignment: [TopicPartition] {
        try? adopt()
        return state.withLock { $0.cursors.keys.sorted() }
    }

    func close() async { leave() }

    /// Where a transaction of this consumer would commit.
    /// - Throws: `StreamFailure.assignmentLost` where polled records belong to another consumer by now.
    func uncommitted() throws -> [TopicPartition: Int64] {
        try adopt()
        return try state.withLock { state in
            guard !state.hasLost else { throw StreamFailure.assignmentLost(group: group) }
            return LocalConsumer.uncommitted(state)
        }
    }

    func noteCommitted(_ offsets: [TopicPartition: Int64]) {
        state.withLock { state in
            for (partition, offset) in offsets where state.cursors[partition]?.offset == offset {
                state.polled.remove(partition)
            }
        }
    }

    private static func uncommitted(_ state: borrowing State) -> [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        for partition in state.polled {
            if let cursor = state.cursors[partition] { offsets[partition] = cursor.offset }
        }
        return offsets
    }

    /// One partition to be read, and from where.
    private struct Ready: Sendable {
        let log: PartitionLog
        let from: PartitionLog.Cursor
    }

    /// What a partition gave.
    private struct Read: Sendable {
        let partition: TopicPartition
        let from: PartitionLog.Cursor
        let to: PartitionLog.Cursor
        let records: [StreamedRecord]
    }

    /// The partitions that have something, in turn.
    private func ready() throws -> [Ready] {
        let (cursors, turn) = try state.withLock { state in
            guard !state.isClosed else { throw StreamFailure.closed(store: group) }
            state.turn &+= 1
            return (state.cursors, state.turn)
        }
        let sorted = cursors.sorted { $0.key < $1.key }
        var ready: [Ready] = []
        for index in sorted.indices {
            let (id, cursor) = sorted[(index + turn % sorted.count) % sorted.count]
            let log = try store.partition(id)
            if cursor.offset < log.end { ready.append(Ready(log: log, from: cursor)) }
        }
        return ready
    }

    private static func read(_ ready: [Ready], limit: Int) throws -> [Read] {
        var left = limit
        var reads: [Read] = []
        for item in ready where left > 0 {
            var cursor = item.from
            let records = try item.log.read(&cursor, limit: left)
            left -= records.count
            reads.append(Read(partition: item.log.id, from: item.from, to: cursor, records: records))
        }
        return reads
    }

    /// Moves the cursors; what belongs to another consumer by now, or was rewound meanwhile, is dropped.
    private func keep(_ reads: [Read]) -> [StreamedRecord] {
        try? adopt()
        return state.withLock { state in
            var kept: [StreamedRecord] = []
            for read in reads where state.cursors[read.partition] == read.from {
                state.cursors[read.partition] = read.to
                guard !read.records.isEmpty else { continue }
                state.polled.insert(read.partition)
                kept += read.records
            }
            return kept
        }
    }

    /// Takes over what the group gave this consumer since it looked last.
    private func adopt() throws {
        let generation = state.withLock { $0.generation }
        guard let (new, partitions) = store.groups.assignment(group, id, since: generation) else { return }
        let known = state.withLock { Set($0.cursors.keys) }
        let added = partitions.subtracting(known)
        let cursors = try beginnings(added)
        state.withLock { state in
            guard !state.isClosed else { return }
            state.generation = new
            for partition in known.subtracting(partitions) {
                state.cursors[partition] = nil
                if state.polled.remove(partition) != nil { state.hasLost = true }
                if let log = try? store.partition(partition) { log.unlisten(wakeup) }
            }
            for (partition, cursor) in cursors { state.cursors[partition] = cursor }
        }
        for partition in added { try store.partition(partition).listen(wakeup) }
    }

    /// Where the group goes on in partitions.
    private func beginnings(_ partitions: some Sequence<TopicPartition>) throws -> [TopicPartition: PartitionLog.Cursor]
    {
        let committed = store.commits.offsets(group)
        var cursors: [TopicPartition: PartitionLog.Cursor] = [:]
        for id in partitions {
            let log = try store.partition(id)
            let offset = committed[id] ?? (start == .oldest ? log.start : log.end)
            cursors[id] = PartitionLog.Cursor(offset: offset)
        }
        return cursors
    }

    private func leave() {
        let (wasClosed, partitions) = state.withLock { state in
            defer {
                state.isClosed = true
                state.cursors = [:]
                state.polled = []
            }
            return (state.isClosed, Array(state.cursors.keys))
        }
        guard !wasClosed else { return }
        for partition in partitions { (try? store.partition(partition))?.unlisten(wakeup) }
        store.groups.leave(group, id)
        wakeup.signal()
    }
}
