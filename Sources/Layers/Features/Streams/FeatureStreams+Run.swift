import Basics
import Datasets
import Streams
import Telemetry

extension FeatureStreams {
    /// How often it is looked for new definitions, and a stream is written into history.
    private static let lookMilliseconds: Int64 = 200
    private static let flushSeconds: UInt64 = 60
    private static let flushRecords: Int64 = 100_000

    private struct Work: Sendable {
        var name: String
        var prefix: [UInt8]?
        var run: @Sendable () async throws -> Void
    }

    /// Brings all streams into the online store and into history until the task is cancelled.
    ///
    /// - Parameter isHeld: whether this is the process of the factory that does so; of several only one may.
    public func run(while isHeld: @escaping @Sendable () async -> Bool) async {
        var running: [String: (task: Task<Void, Never>, prefix: [UInt8]?)] = [:]
        while !Task.isCancelled {
            var wanted: [Work] = []
            if await isHeld() {
                do { wanted = try works() } catch {
                    logger.error("the streams can not be worked on", ["error": .string("\(error)")])
                }
            }
            let names = Set(wanted.map(\.name))
            for (name, work) in running where !names.contains(name) {
                work.task.cancel()
                await work.task.value
                if let prefix = work.prefix { progress.forget(prefix) }
                running[name] = nil
            }
            for work in wanted where running[work.name] == nil {
                running[work.name] = (Task { await self.keepAt(work) }, work.prefix)
            }
            try? await Task.sleep(for: .milliseconds(Self.lookMilliseconds))
        }
        for work in running.values { work.task.cancel() }
        for work in running.values { await work.task.value }
    }

    private func keepAt(_ work: Work) async {
        var milliseconds: Int64 = 50
        while !Task.isCancelled {
            let begun = SystemTime.monotonicNanoseconds
            do {
                try await work.run()
                return
            } catch {
                guard !Task.isCancelled else { return }
                logger.warning(
                    "work on a stream was broken off and begins again",
                    ["work": .string(work.name), "error": .string("\(error)")])
            }
            if SystemTime.monotonicNanoseconds &- begun > 10_000_000_000 { milliseconds = 50 }
            try? await Task.sleep(for: .milliseconds(milliseconds))
            milliseconds = min(milliseconds * 2, 5000)
        }
    }

    private func works() throws -> [Work] {
        let catalogue = features.catalogue
        var works: [Work] = []
        for name in try streamNames(catalogue) {
            let (events, source) = try source(name)
            let digest = try catalogue.digest(ofEvents: name).hex
            for view in try views(of: source) {
                works.append(
                    Work(name: "view \(view.view.name) \(view.prefix)", prefix: view.prefix) { [self] in
                        try await ingest(view)
                    })
            }
            works.append(Work(name: "history of \(name) \(digest)") { [self] in try await flushContinually(source) })
            if let topic = source.definition.topic {
                works.append(
                    Work(name: "topic \(topic) \(digest)") { [self] in try await read(topic, events, source) })
            }
        }
        return works
    }

    private func ingest(_ view: StreamedView) async throws {
        let opened = try await opened([view.source.topic])
        let ingestion = ViewIngestion(
            view, features: features, streams: opened.streams, table: opened.table, progress: progress,
            metrics: IngestionMetrics(metrics, view: view.view.name, source: view.source.name))
        while !Task.isCancelled {
            if try await ingestion.step(wait: .milliseconds(50)) == .clockNeeded {
                try await tick(view.source, opened.streams)
            }
        }
    }

    private func flushContinually(_ source: StreamSource) async throws {
        let streams = try await opened([source.topic]).streams
        var flushed = SystemTime.monotonicNanoseconds
        var next = try await features.segments(of: source.name).last?.next ?? 0
        while !Task.isCancelled {
            let waiting = (try await streams.ends(source.topic).first ?? 0) - next
            let elapsed = SystemTime.monotonicNanoseconds &- flushed
            if waiting >= Self.flushRecords || (waiting > 0 && elapsed >= Self.flushSeconds * 1_000_000_000) {
                try await flush([source.name])
                flushed = SystemTime.monotonicNanoseconds
                next = try await features.segments(of: source.name).last?.next ?? 0
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private func read(_ topic: String, _ events: EventsDefinition, _ source: StreamSource) async throws {
        let from = try TopicName(topic)
        let opened = try await opened([source.topic])
        // The topic is its owner's; where he has not made it yet, it is made.
        if try await !opened.streams.topics().contains(where: { $0.name == from }) {
            try await opened.streams.createTopic(from, partitions: 1)
        }
        try await opened.streams.createTopic(try TopicBridge.rejectedTopic(of: topic), partitions: 1)
        try await TopicBridge(
            events: events, source: source, from: from, streams: opened.streams, time: features.time,
            rejected: metrics.counter(
                "modelworks_stream_rejected_records_total", help: "Records of a topic that were no events.",
                labels: ["source": source.name])
        ).run()
    }
}
