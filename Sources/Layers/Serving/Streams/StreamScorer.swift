import Basics
import Documents
import Inference
import Streams
import Telemetry

/// Scores the events of a topic into another, each once.
///
/// Guarantees: every event of the input has exactly one record in the output or the dead letters, in the order of its partition,
/// wherever the process is killed. On the local log and on a broker with transactions, output and position are one change.
/// Should a broker not keep them together, ``ResumePoint`` finds what is there already. Of the scorers of one name each
/// partition has one: the group gives it to one, and what another has not committed by then is refused.
public actor StreamScorer {
    /// What is known of a partition since it was taken over.
    struct Progress {
        /// The next event.
        var next: Int64
        /// Events from there on whose answers are there.
        var done: Set<Int64>
    }

    public nonisolated let scoring: StreamScoring
    let streams: any EventStreams
    let metrics: StreamScorerMetrics
    let logger: Logger
    private let source: StreamModelSource
    let time: any TimeSource
    let thread = BlockingThread(name: "stream.score")
    var progress: [TopicPartition: Progress] = [:]
    var windows: EventWindows?
    var ends: [Int64] = []
    /// Partitions of both output topics.
    private(set) var counts: (answers: Int, letters: Int) = (1, 1)
    private var generation: UInt64 = 0
    private var answered: StreamModel?
    private var rate = 0.0
    static let slice = Duration.milliseconds(200)

    /// - Parameter source: asked before every batch.
    /// - Throws: `AggregationFailure` or `FeaturesFailure` where the windows can not be computed.
    public init(
        _ scoring: StreamScoring, streams: any EventStreams, model source: @escaping StreamModelSource,
        time: any TimeSource, metrics: MetricsRegistry, logger: Logger = .silent
    ) throws {
        self.scoring = scoring
        self.streams = streams
        self.source = source
        self.time = time
        self.metrics = StreamScorerMetrics(scoring.name, in: metrics)
        self.logger = logger.with(["scorer": .string(scoring.name)])
        windows = try scoring.windows.map { try EventWindows($0) }
    }

    /// Scores until the task is cancelled. What fails is begun again, later each time.
    ///
    /// - Parameter idle: ends when no event has come for this long; nil never ends.
    /// - Throws: what stands in the way from the beginning, and `StreamFailure.fenced` where another process of the same
    ///   instance took over.
    public func run(untilIdle idle: Duration? = nil) async throws {
        try await makeTopics()
        // A model that can not be had is told before anything is read.
        _ = try await source()
        let consumer = try await streams.consumer(
            group: scoring.name, topics: [scoring.from], start: scoring.start)
        let watching = Task { await watch(consumer) }
        do {
            try await work(consumer, untilIdle: idle.map { UInt64($0.components.seconds) * 1_000_000_000 })
        } catch {
            watching.cancel()
            await consumer.close()
            throw error
        }
        watching.cancel()
        await consumer.close()
    }

    /// How far it has come.
    public func status() -> StreamScorerStatus {
        StreamScorerStatus(
            scorer: scoring.name, model: answered?.name, version: answered?.version, scored: metrics.scored.value,
            rejected: metrics.rejected.value, skipped: metrics.skipped.value, failures: metrics.failures.value,
            eventsPerSecond: rate,
            batchRows: metrics.rows.count > 0 ? metrics.rows.sum / Double(metrics.rows.count) : 0,
            latencyP50: metrics.latency.quantile(0.5), latencyP99: metrics.latency.quantile(0.99),
            partitions: progress.sorted { $0.key < $1.key }.map { id, progress in
                let end = ends.indices.contains(id.partition) ? ends[id.partition] : progress.next
                return StreamScorerStatus.Partition(
                    partition: id.partition, position: progress.next, lag: max(0, end - progress.next))
            })
    }

    private func makeTopics() async throws {
        let known = Dictionary(
            try await streams.topics().map { ($0.name, $0.partitions) }, uniquingKeysWith: { first, _ in first })
        for topic in Set([scoring.from, scoring.to, scoring.deadLetters]) where known[topic] == nil {
            let count = topic == scoring.from ? nil : known[scoring.from]
            try await streams.createTopic(topic, partitions: count ?? scoring.partitions)
        }
        counts = (
            try await streams.ends(scoring.to).count, try await streams.ends(scoring.deadLetters).count
        )
    }

    private func work(_ consumer: any StreamConsumer, untilIdle idle: UInt64?) async throws {
        var pause: Int64 = 50
        var last = SystemTime.monotonicNanoseconds
        while !Task.isCancelled {
            do {
                if try await step(consumer) || consumer.assignment.isEmpty {
                    last = SystemTime.monotonicNanoseconds
                } else if let idle, SystemTime.monotonicNanoseconds &- last > idle {
                    return
                }
                pause = 50
            } catch {
                if Task.isCancelled { return }
                switch error as? StreamFailure {
                case .fenced, .closed: throw error
                // Others go on with them; what was not committed is theirs.
                case .assignmentLost: logger.info("partitions moved to another scorer")
                default:
                    metrics.failures.increment()
                    logger.warning("a batch is scored again", ["error": .string("\(error)")])
                    try? await Task.sleep(for: .milliseconds(pause))
                    pause = min(pause * 2, 5000)
                }
                // How far the output came is not known now.
                progress = [:]
                do { try await consumer.rewind() } catch {
                    logger.warning("the stream could not be rewound", ["error": .string("\(error)")])
                }
            }
        }
    }

    /// Scores what there is, up to one batch.
    /// - Returns: whether any event came.
    private func step(_ consumer: any StreamConsumer) async throws -> Bool {
        let polled = try await consumer.poll(limit: scoring.rows, wait: Self.slice)
        if consumer.generation != generation {
            generation = consumer.generation
            progress = [:]
            windows?.forgetAll()
        }
        guard !polled.isEmpty else { return false }
        let records = try await resume(polled, consumer)
        guard !records.isEmpty else { return true }
        let model = try await source()
        let outputs = try await score(records, by: model)
        let began = SystemTime.monotonicNanoseconds
        try await commit(consumer, outputs)
        _ = metrics.finish(.commit, since: began)
        answered = model
        let now = time.now
        for record in records {
            let id = TopicPartition(topic: record.position.topic, partition: record.position.partition)
            progress[id]?.next = record.position.offset + 1
            progress[id]?.done.remove(record.position.offset)
            if let moment = record.record.timestamp { metrics.latency.observe(max(0, now.seconds(since: moment))) }
        }
        let letters = outputs.count { $0.topic == scoring.deadLetters }
        metrics.rejected.increment(by: UInt64(letters))
        metrics.scored.increment(by: UInt64(outputs.count - letters))
        metrics.skipped.increment(by: UInt64(records.count - outputs.count))
        metrics.rows.observe(Double(records.count))
        return true
    }

    /// Publishes outputs; one that the store finds too large becomes a dead letter.
    private func commit(_ consumer: any StreamConsumer, _ outputs: [StreamOutput]) async throws {
        do { try await streams.commit(consumer, with: outputs) } catch StreamFailure.recordTooLarge(_, let limit) {
            let fitting = outputs.map { output -> StreamOutput in
                let headers = output.record.headers
                let bytes = headers.reduce((output.record.key?.count ?? 0) + output.record.value.count) {
                    $0 + $1.name.utf8.count + $1.value.count
                }
                guard bytes > limit, let mark = SourceMark(output.record) else { return output }
                // Its key and value are in the input, where the mark tells.
                let reason = "what it gives has \(bytes) bytes, and a record at most \(limit)"
                return StreamOutput(
                    topic: scoring.deadLetters,
                    record: StreamRecord(
                        value: [], headers: [StreamRecord.Header("reason", Array(reason.utf8)), mark.encoded]),
                    partition: ResumePoint.partition(of: mark.partition, among: counts.letters))
            }
            try await streams.commit(consumer, with: fitting)
        }
    }

    /// Looks every second how far the scorer is behind, until the task is cancelled.
    private func watch(_ consumer: any StreamConsumer) async {
        var finished = metrics.rows.sum
        var began = SystemTime.monotonicNanoseconds
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            guard let ends = try? await streams.ends(scoring.from) else { continue }
            self.ends = ends
            for (id, progress) in progress where ends.indices.contains(id.partition) {
                metrics.show(StreamLag(partition: id, committed: progress.next, end: ends[id.partition]))
            }
            let now = SystemTime.monotonicNanoseconds
            rate = (metrics.rows.sum - finished) / max(1e-9, Double(now &- began) / 1e9)
            finished = metrics.rows.sum
            began = now
        }
    }
}
