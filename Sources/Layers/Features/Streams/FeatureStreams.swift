import Basics
import Columnar
import Datasets
import KeyValue
import Streams
import Synchronization
import Telemetry

/// Streams of events: taken in durably, and brought into the online store and into history.
///
/// Guarantees: an event that was acknowledged is kept, counted once in every value of every view, and never lets an older
/// value replace a newer one, wherever the process ends; values online are, bit for bit, those of history at the same moment.
public final class FeatureStreams: Sendable {
    let features: FeatureStore
    let metrics: MetricsRegistry
    let logger: Logger
    let progress = StreamProgress()
    private let opener: StreamOpener
    private let ticks = Mutex<[String: UInt64]>([:])
    /// The table of the online store for what is kept beside the values.
    public static let tableName = "feature_streams"
    /// How long a push waits for its events to be readable.
    private static let patience = Duration.seconds(1)

    /// - Parameter open: opens the stream store; called at the first use, and again after a failure.
    public init(
        features: FeatureStore, metrics: MetricsRegistry, logger: Logger = .silent,
        open: @escaping @Sendable () async throws -> any EventStreams
    ) {
        self.features = features
        self.metrics = metrics
        self.logger = logger
        opener = StreamOpener(online: features.online, open)
    }

    /// What became of a push.
    public struct Pushed: Sendable, Codable, Equatable {
        public var source: String
        public var events: Int
        /// Whether values computed from the events can be read online already.
        public var isApplied: Bool
        /// Columns that the stream does not declare.
        public var ignored: [String]
    }

    /// Keeps events durably and waits a moment until they are readable.
    ///
    /// - Parameters:
    ///   - name: an event source that is a stream.
    ///   - target: `online`, `offline` or `online_and_offline`.
    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` where a row is bad; then nothing is kept. `StreamFailure` where it is
    ///   not known whether events were kept.
    public func push(_ name: String, _ rows: FeatureRows, to target: String = "online_and_offline") async throws
        -> Pushed
    {
        guard let target = StreamBatch.Target(rawValue: target) else {
            throw FeaturesFailure.request(
                "'\(target)' is no place for events", remedy: "It is online, offline or online_and_offline.")
        }
        let (events, source) = try self.source(name)
        let now = features.time.now
        let checked = try StreamRows(rows, of: events, source.definition, now: now)
        var pushed = Pushed(source: name, events: checked.rows.count, isApplied: true, ignored: checked.ignored)
        guard !checked.rows.isEmpty else { return pushed }
        let batch = StreamBatch(
            stamp: now.microseconds, target: target, columns: source.definition.columns.map(\.name),
            rows: checked.rows)
        let positions = try await opener.opened([source.topic]).streams.publish(batch.records(), to: source.topic)
        guard target.isOnline, let last = positions.map(\.offset).max() else { return pushed }
        for view in try views(of: source) where pushed.isApplied {
            pushed.isApplied = await progress.wait(view.prefix, for: last + 1, limit: Self.patience)
        }
        return pushed
    }

    /// Writes all that was pushed so far into history.
    /// - Returns: how many events were written.
    @discardableResult
    public func flush(_ names: [String]? = nil) async throws -> Int64 {
        let catalogue = features.catalogue
        var written: Int64 = 0
        for name in try names ?? streamNames(catalogue) {
            let (_, source) = try self.source(name)
            let streams = try await opener.opened([source.topic]).streams
            written += try await features.writeSegments(of: source, from: streams)
        }
        if written > 0 { features.historyMoved() }
        return written
    }

    /// Closes the stream store, where it was opened.
    public func close() async { await opener.close() }

    func source(_ name: String) throws -> (EventsDefinition, StreamSource) {
        let events = try features.catalogue.eventSource(name)
        guard let stream = events.stream else {
            throw FeaturesFailure.request(
                "the event source '\(name)' is computed from tables, and takes no events",
                remedy: "Push to one that is defined with 'stream'.")
        }
        return (events, try StreamSource(events, stream))
    }

    func streamNames(_ catalogue: Catalogue) throws -> [String] {
        catalogue.events.values.filter { $0.stream != nil }.map(\.name).sorted()
    }

    /// The online views that a stream feeds.
    func views(of source: StreamSource) throws -> [StreamedView] {
        let catalogue = features.catalogue
        return try catalogue.views.values.filter {
            $0.isOnline && $0.sources == [source.name] && catalogue.isStreamed($0)
        }.sorted { $0.name < $1.name }.map {
            try StreamedView($0, digest: try catalogue.digest(ofView: $0.name), source: source)
        }
    }

    func opened(_ topics: [TopicName]) async throws -> StreamOpener.Opened { try await opener.opened(topics) }

    /// Tells a stream what time it is, so that values change though no event arrives.
    func tick(_ source: StreamSource, _ streams: any EventStreams) async throws {
        let now = SystemTime.monotonicNanoseconds
        let isNew = ticks.withLock { ticks in
            guard ticks[source.name].map({ now &- $0 > 20_000_000 }) ?? true else { return false }
            ticks[source.name] = now
            return true
        }
        // Another view has told it just now.
        guard isNew else {
            try await Task.sleep(for: .milliseconds(5))
            return
        }
        try await streams.publish(
            [StreamRecord(value: StreamBatch(stamp: features.time.now.microseconds).encoded())], to: source.topic)
    }
}

/// Opens the stream store when it is first needed, and makes topics.
actor StreamOpener {
    struct Opened: Sendable {
        let streams: any EventStreams
        let table: KeyValueTable
    }

    private let online: any KeyValueStore
    private let open: @Sendable () async throws -> any EventStreams
    private var opening: Task<Opened, any Error>?
    private var topics: Set<TopicName> = []

    init(online: any KeyValueStore, _ open: @escaping @Sendable () async throws -> any EventStreams) {
        self.online = online
        self.open = open
    }

    func opened(_ needed: [TopicName]) async throws -> Opened {
        let task =
            opening
            ?? Task { [open, online] in
                Opened(streams: try await open(), table: try await online.table(FeatureStreams.tableName))
            }
        opening = task
        let found: Opened
        do { found = try await task.value } catch {
            opening = nil
            throw error
        }
        for topic in needed where !topics.contains(topic) {
            try await found.streams.createTopic(topic, partitions: 1)
            topics.insert(topic)
        }
        return found
    }

    func close() async {
        if let found = try? await opening?.value { await found.streams.close() }
        opening = nil
    }
}

extension FeatureStore {
    /// The rows of an event source as they are in history, in their order.
    public func events(_ name: String, columns: [String]) async throws -> Table {
        let events = try catalogue.eventSource(name)
        try await bind()
        return try await engine.query(
            "SELECT \(columns.map(SQLText.identifier).joined(separator: ", ")) FROM \(SQLText.identifier(events.name))",
            context: "data/\(name)")
    }
}
