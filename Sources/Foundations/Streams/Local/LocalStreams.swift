import Basics
import Foundation
import ObjectStorage
import Synchronization
import Telemetry

/// Topics in a folder: for each partition a log of its own, and one log of commits and transactions. One process at a
/// time has the folder open; consumers of a group share partitions within it.
///
/// What `publish` acknowledged survives the death of the process at once, and a power cut within a fifth of a second;
/// with `durable` it is on the disk before the call returns, and calls that wait together share one flush.
final class LocalStreams: EventStreams {
    /// How the store is set up.
    struct Options: Sendable {
        var isDurable = false
        var segmentBytes = 32 << 20
        var recordBytes = 1_000_000
    }

    struct LocalTopic: Sendable {
        let partitions: [PartitionLog]
        let retention: TopicRetention
    }

    /// What `topic.json` holds; a topic exists when this file does.
    private struct Settings: Codable {
        let partitions: Int
        let retention: TopicRetention
    }

    private struct State {
        var topics: [TopicName: LocalTopic]
        var isClosed = false
        /// Batches of transactions that are committed and that the disk had no room for.
        var pending: [(partition: TopicPartition, bytes: [UInt8])] = []
        /// Partitions with batches of transactions since the commits were summarised.
        var touched: Set<TopicPartition> = []
    }

    let folder: String
    let groups = LocalGroups()
    let commits: CommitLog
    let metrics: StreamMetrics
    let timers = DispatchQueue(label: "modelworks.streams.timers")
    let readers = BlockingThreads(name: "streams.readers")
    private let options: Options
    private let time: any TimeSource
    private let logger: Logger
    private let state: Mutex<State>
    /// The one thread that changes files, so that a transaction over several partitions has no other write between.
    private let writer = BlockingThread(name: "streams.writer")
    private let turn = Atomic<UInt64>(0)
    private let maintenance = Mutex<Task<Void, Never>?>(nil)
    static let partitionLimit = 1024
    private static let recordsPerTurn = 256

    /// Opens the folder, making it, and finishes transactions that a crash interrupted. Blocks while it reads.
    init(folder: String, options: Options, time: any TimeSource, logger: Logger, metrics: MetricsRegistry) throws {
        self.folder = folder
        self.options = options
        self.time = time
        self.logger = logger.with(["store": .string("streams")])
        self.metrics = StreamMetrics(metrics, engine: "log")
        var topics: [TopicName: LocalTopic] = [:]
        var replayed = 0
        // The log of commits is opened first: its lock keeps other processes out.
        var replays: [[(partition: TopicPartition, bytes: [UInt8])]] = []
        commits = try CommitLog(folder: "\(folder)/commits") { replays.append($0) }
        for name in try LocalStreams.names("\(folder)/topics") {
            let path = "\(folder)/topics/\(name)/topic.json"
            guard FileManager.default.fileExists(atPath: path) else { continue }
            let bytes = try StreamFailure.translating { try AtomicFile.read(path) }
            guard let settings = try? JSONDecoder().decode(Settings.self, from: Data(bytes)),
                (1...LocalStreams.partitionLimit).contains(settings.partitions)
            else { throw StreamFailure.damaged(path: path, offset: 0, reason: "it does not describe a topic") }
            let topic = try TopicName(name)
            topics[topic] = try LocalStreams.openTopic(topic, settings, folder: folder, options: options)
        }
        var touched: Set<TopicPartition> = []
        for (id, bytes) in replays.joined() {
            guard let log = topics[id.topic]?.partitions.at(id.partition) else {
                throw StreamFailure.damaged(
                    path: "\(folder)/topics/\(id)", offset: 0, reason: "a transaction wrote there and it is gone")
            }
            touched.insert(id)
            let before = log.end
            try log.append(bytes)
            if log.end != before { replayed += 1 }
        }
        if replayed > 0 {
            self.logger.info("finished interrupted transactions", ["batches": .integer(Int64(replayed))])
        }
        state = Mutex(State(topics: topics, touched: touched))
    }

    deinit { maintenance.withLock { $0?.cancel() } }

    /// Applies retention and saves indexes from time to time until the store is closed.
    func startMaintenance(every interval: Duration) {
        let task = Task { [weak self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                guard let self, !Task.isCancelled else { return }
                await self.maintain()
            }
        }
        maintenance.withLock { old in
            old?.cancel()
            old = task
        }
    }

    /// Applies retention, saves indexes and shortens the log of commits.
    func maintain() async {
        do {
            let topics = try open()
            let now = time.now
            try await writer.run {
                for topic in topics.values {
                    for partition in topic.partitions { try partition.expire(topic.retention, now: now) }
                }
            }
            for topic in topics.values { for partition in topic.partitions { try await partition.saveIndex() } }
            try await summarise()
        } catch {
            logger.error("the streams could not be tidied", ["error": .string("\(error)")])
        }
    }

    var isTransactional: Bool { true }

    func createTopic(_ name: TopicName, partitions: Int, retention: TopicRetention) async throws {
        guard (1...LocalStreams.partitionLimit).contains(partitions) else {
            throw StreamFailure.invalidArgument("a topic has 1 to \(LocalStreams.partitionLimit) partitions")
        }
        try await writer.run { [self] in
            if let topic = try open()[name] {
                guard topic.partitions.count == partitions else {
                    throw StreamFailure.topicDiffers(name.text, has: topic.partitions.count, wanted: partitions)
                }
                guard topic.retention != retention else { return }
                try save(name, Settings(partitions: partitions, retention: retention))
                let changed = LocalTopic(partitions: topic.partitions, retention: retention)
                state.withLock { $0.topics[name] = changed }
                return
            }
            let settings = Settings(partitions: partitions, retention: retention)
            let topic = try LocalStreams.openTopic(name, settings, folder: folder, options: options)
            try save(name, settings)
            state.withLock { $0.topics[name] = topic }
        }
    }

    func topics() async throws -> [Topic] {
        try open().map { Topic(name: $0.key, partitions: $0.value.partitions.count) }.sorted { $0.name < $1.name }
    }

    @discardableResult
    func publish(_ records: [StreamRecord], to name: TopicName) async throws -> [StreamPosition] {
        try await metrics.publishing(records.count) {
            let topic = try topic(name)
            let parts = try split(records.map { StreamOutput(topic: name, record: $0) })
            let now = time.now
            let batches = parts.map { ($0.key.partition, RecordBatch($0.value.map { records[$0] }, now: now)) }
            let bases = try await writer.run { [self] in
                try applyPending()
                var bases: [Int: Int64] = [:]
                for (partition, batch) in batches {
                    bases[partition] = try topic.partitions.at(partition)?.append(batch, now: now)
                }
                return bases
            }
            if options.isDurable {
                for (partition, _) in batches { try await topic.partitions.at(partition)?.sync() }
            }
            var positions = records.map { _ in StreamPosition(topic: name, partition: 0, offset: 0) }
            for (id, indexes) in parts {
                for (place, index) in indexes.enumerated() {
                    positions[index] = StreamPosition(
                        topic: name, partition: id.partition, offset: (bases[id.partition] ?? 0) + Int64(place))
                }
            }
            return positions
        }
    }

    func read(
        _ topic: TopicName, partition: Int, from offset: Int64, limit: Int, wait: Duration
    ) async throws -> [StreamedRecord] {
        let log = try self.partition(TopicPartition(topic: topic, partition: partition))
        guard offset <= log.end else {
            throw StreamFailure.offsetOutside(topic: topic.text, partition: partition, offset: offset, end: log.end)
        }
        let deadline = SystemTime.monotonicNanoseconds &+ UInt64(wait.clampedNanoseconds)
        let wakeup = Wakeup(timers: timers)
        log.listen(wakeup)
        defer { log.unlisten(wakeup) }
        while true {
            if offset < log.end {
                let records = try await readers.run {
                    var cursor = PartitionLog.Cursor(offset: offset)
                    return try log.read(&cursor, limit: limit)
                }
                metrics.consumed.increment(by: UInt64(records.count))
                return records
            }
            let now = SystemTime.monotonicNanoseconds
            guard now < deadline, limit > 0 else { return [] }
            try Task.checkCancellation()
            _ = try open()
            await wakeup.wait(nanoseconds: Int64(clamping: deadline - now))
        }
    }

    func held(_ topic: TopicName, partition: Int, from offset: Int64, limit: Int) async throws -> [StreamedRecord] {
        let log = try self.partition(TopicPartition(topic: topic, partition: partition))
        return try await readers.run {
            var cursor = PartitionLog.Cursor(offset: offset)
            var records: [StreamedRecord] = []
            while records.count < limit {
                let more = try log.read(&cursor, limit: limit - records.count)
                guard !more.isEmpty else { break }
                records += more
            }
            return records
        }
    }

    func starts(_ topic: TopicName) async throws -> [Int64] { try self.topic(topic).partitions.map(\.start) }

    func ends(_ topic: TopicName) async throws -> [Int64] { try self.topic(topic).partitions.map(\.end) }

    func consumer(group: String, topics: [TopicName], start: StreamStart) async throws -> any StreamConsumer {
        guard !group.isEmpty, !topics.isEmpty else {
            throw StreamFailure.invalidArgument("a consumer needs a group and at least one topic")
        }
        var partitions: Set<TopicPartition> = []
        for name in topics { partitions.formUnion(try topic(name).partitions.map(\.id)) }
        return LocalConsumer(self, group: group, partitions: partitions, start: start)
    }

    func commit(_ consumer: any StreamConsumer, with outputs: [StreamOutput]) async throws {
        guard let consumer = consumer as? LocalConsumer, consumer.belongs(to: self) else {
            throw StreamFailure.foreignConsumer(group: consumer.group)
        }
        let parts = try split(outputs)
        let now = time.now
        let batches = try parts.map { id, indexes in
            (log: try partition(id), batch: RecordBatch(indexes.map { outputs[$0].record }, now: now))
        }
        let offsets = try consumer.uncommitted()
        try await writer.run { [self] in
            try applyPending()
            let owned = groups.owned(consumer.group, consumer.id, offsets.keys)
            guard owned.count == offsets.count else { throw StreamFailure.assignmentLost(group: consumer.group) }
            var entry = CommitLog.Entry(offsets: [consumer.group: offsets])
            entry.batches = batches.map { ($0.log.id, $0.log.place($0.batch, now: now)) }
            try commits.append(entry)
            // From here on it is committed: what the disk has no room for is put in by a later call.
            state.withLock { state in
                state.pending = entry.batches
                state.touched.formUnion(entry.batches.map(\.partition))
            }
            do { try applyPending() } catch {
                logger.warning("a committed transaction waits for room on the disk", ["error": .string("\(error)")])
            }
        }
        consumer.noteCommitted(offsets)
        if options.isDurable { try await commits.sync() }
        metrics.published.increment(by: UInt64(outputs.count))
        if commits.dueForSummary != nil { try await summarise() }
    }

    /// Keeps durably what a consumer is done with.
    /// - Returns: which of the partitions were still its own.
    func commit(_ consumer: LocalConsumer, _ offsets: [TopicPartition: Int64]) async throws -> Set<TopicPartition> {
        _ = try open()
        let owned = try await writer.run { [self] in
            let owned = groups.owned(consumer.group, consumer.id, offsets.keys)
            if !owned.isEmpty {
                try commits.append(.init(offsets: [consumer.group: offsets.filter { owned.contains($0.key) }]))
            }
            return owned
        }
        if options.isDurable { try await commits.sync() }
        if commits.dueForSummary != nil { try await summarise() }
        return owned
    }

    func check() async throws -> String {
        let topics = try open()
        let path = "\(folder)/.check"
        try await writer.run { try StreamFailure.translating { try AtomicFile.write(path, [1]) } }
        return "local log in '\(folder)': \(topics.count) topics, may be written"
    }

    func close() async {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        guard !wasClosed else { return }
        maintenance.withLock { $0?.cancel() }
        let topics = state.withLock { $0.topics }
        _ = try? await writer.run {}
        for topic in topics.values {
            for partition in topic.partitions {
                try? await partition.sync()
                try? await partition.saveIndex()
                partition.release()
            }
        }
        try? await commits.sync()
        state.withLock { $0.topics = [:] }
        commits.close()
    }

    /// The log of a partition.
    func partition(_ id: TopicPartition) throws -> PartitionLog {
        let topic = try topic(id.topic)
        guard let partition = topic.partitions.at(id.partition) else {
            throw StreamFailure.unknownPartition(
                topic: id.topic.text, partition: id.partition, has: topic.partitions.count)
        }
        return partition
    }

    private func topic(_ name: TopicName) throws -> LocalTopic {
        guard let topic = try open()[name] else { throw StreamFailure.unknownTopic(name.text) }
        return topic
    }

    /// The topics, where the store is open.
    private func open() throws -> [TopicName: LocalTopic] {
        try state.withLock { state in
            guard !state.isClosed else { throw StreamFailure.closed(store: folder) }
            return state.topics
        }
    }

    /// The indexes of records by the partition that each goes to.
    private func split(_ outputs: [StreamOutput]) throws -> [TopicPartition: [Int]] {
        var parts: [TopicPartition: [Int]] = [:]
        let first = turn.wrappingAdd(1, ordering: .relaxed).oldValue
        var counts: [TopicName: Int] = [:]
        var spread = 0
        for (index, output) in outputs.enumerated() {
            let bytes = output.record.payloadBytes
            guard bytes <= options.recordBytes else {
                throw StreamFailure.recordTooLarge(bytes: bytes, limit: options.recordBytes)
            }
            let count = try counts[output.topic] ?? topic(output.topic).partitions.count
            counts[output.topic] = count
            let partition: Int
            if let chosen = output.partition {
                guard (0..<count).contains(chosen) else {
                    throw StreamFailure.unknownPartition(topic: output.topic.text, partition: chosen, has: count)
                }
                partition = chosen
            } else if let key = output.record.key {
                partition = Partitioner.partition(key: key, count: count)
            } else {
                partition = Int((first &+ UInt64(spread / LocalStreams.recordsPerTurn)) % UInt64(max(1, count)))
                spread += 1
            }
            parts[TopicPartition(topic: output.topic, partition: partition), default: []].append(index)
        }
        return parts
    }

    /// Puts committed batches into their partitions. Runs on the writer.
    private func applyPending() throws {
        while let next = state.withLock({ $0.pending.first }) {
            try partition(next.partition).append(next.bytes)
            state.withLock { state in _ = state.pending.removeFirst() }
        }
    }

    /// Shortens the log of commits once its transactions are on the disk elsewhere.
    private func summarise() async throws {
        guard let position = commits.dueForSummary else { return }
        let touched = state.withLock { state in
            defer { state.touched = [] }
            return state.touched
        }
        for id in touched { try await partition(id).sync() }
        try await writer.run { [self] in
            try applyPending()
            try commits.summarise(before: position)
        }
    }

    private func save(_ name: TopicName, _ settings: Settings) throws {
        let bytes = [UInt8](try JSONEncoder().encode(settings))
        try StreamFailure.translating { try AtomicFile.write("\(folder)/topics/\(name)/topic.json", bytes) }
    }

    private static func openTopic(
        _ name: TopicName, _ settings: Settings, folder: String, options: Options
    ) throws -> LocalTopic {
        // Only whole segments can go, so a small bound needs small segments.
        let bound = settings.retention.bytes.map { Int(clamping: max(64 << 10, $0 / 4)) } ?? options.segmentBytes
        return LocalTopic(
            partitions: try (0..<settings.partitions).map { partition in
                try PartitionLog(
                    TopicPartition(topic: name, partition: partition), folder: "\(folder)/topics/\(name)/\(partition)",
                    segmentBytes: min(options.segmentBytes, bound))
            }, retention: settings.retention)
    }

    private static func names(_ folder: String) throws -> [String] {
        guard FileManager.default.fileExists(atPath: folder) else { return [] }
        do { return try FileManager.default.contentsOfDirectory(atPath: folder).sorted() } catch {
            throw StreamFailure.storage(
                .inputOutput(action: "listing", path: folder, reason: error.localizedDescription))
        }
    }
}

extension Array {
    /// The element of an index that came from outside.
    func at(_ index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
