import Basics
import Columnar
import Datasets
import Foundation
import Journal
import KeyValue
import ObjectStorage
import SQL
import Synchronization

/// Definitions, dataset versions, view histories and online values of one factory.
///
/// Guarantees: one definition is computed offline and online, by the same SQL; a view's history is keyed by the digests
/// of its definition and of the data it was computed from, so it is computed once and never mixed with another; an
/// online value is never replaced by an older one.
public final class FeatureStore: Sendable {
    let database: Database
    let objects: any ObjectStore
    let engine: ColumnarEngine
    let online: any KeyValueStore
    let onlineTable: KeyValueTable
    let time: any TimeSource
    /// Rows of a history that are brought online in one change.
    let batchRows: Int
    /// What ``batchRows`` is where nothing else is said.
    public static let batchRows = 50_000
    /// Where histories are joined to entity rows.
    let offline: OfflineEngine
    /// A folder for files under way.
    public let scratch: String
    public let datasets: DatasetStore
    /// What online reads and writes remember.
    let onlineState = OnlineState()
    private let state = Mutex(State())

    private struct State {
        var catalogue = Catalogue()
        var dataFolder = "."
        /// The dataset versions that the engine's tables show now.
        var bound: [String: Digest]?
        /// What the engine's tables of streams show now.
        var boundStreams: [String: Digest] = [:]
        /// Moves whenever a view's history may have become another.
        var generation = 0
        /// What the model versions in use were learnt from, newest first.
        var modelsInUse: (@Sendable () async throws -> [ModelInUse])?
        /// How many files under way have been named.
        var files = 0
        /// Keys of histories that a request has wanted.
        var wanted: Set<Digest> = []
    }

    /// - Parameters:
    ///   - batchRows: rows of a history that are brought online in one change of the online store; memory holds three times
    ///     as many.
    ///   - offline: where histories are joined to entity rows. Those that models learn from are joined in this process.
    public init(
        database: Database, objects: any ObjectStore, engine: ColumnarEngine,
        online: any KeyValueStore, onlineTable: KeyValueTable, time: any TimeSource, random: any RandomSource,
        scratch: String, environment: [String: String] = [:], batchRows: Int = FeatureStore.batchRows,
        offline: OfflineEngine = .local
    ) {
        self.database = database
        self.objects = objects
        self.engine = engine
        self.online = online
        self.onlineTable = onlineTable
        self.time = time
        self.scratch = scratch
        self.batchRows = max(1, batchRows)
        self.offline = offline
        datasets = DatasetStore(
            database: database, objects: objects, engine: engine, time: time, random: random, scratch: scratch,
            environment: environment)
    }

    /// The definitions in force.
    public var catalogue: Catalogue { state.withLock { $0.catalogue } }

    /// The folder that relative paths of data are in.
    var dataFolder: String { state.withLock { $0.dataFolder } }

    /// Moves whenever a view's history may have become another: after an apply or an ingest.
    var generation: Int { state.withLock { $0.generation } }

    var modelsInUse: (@Sendable () async throws -> [ModelInUse])? { state.withLock { $0.modelsInUse } }

    /// Compares new histories with what the model versions in use have seen.
    ///
    /// - Parameter models: gives what they were learnt from, newest first.
    public func compareHistories(with models: @escaping @Sendable () async throws -> [ModelInUse]) {
        state.withLock { $0.modelsInUse = models }
    }

    /// A name for a file under way, which no other has.
    func scratchPath(_ ending: String) -> String {
        "\(scratch)/history-\(getpid())-\(UInt(bitPattern: ObjectIdentifier(self).hashValue))-\(scratchNumber()).\(ending)"
    }

    /// A number that no other file or table under way has.
    func scratchNumber() -> Int {
        state.withLock { state in
            state.files &+= 1
            return state.files
        }
    }

    /// Whether no request has wanted the history of this key yet; takes note that one does.
    func isFirstRequest(_ key: Digest) -> Bool {
        state.withLock { state in
            if state.wanted.count >= Self.wantedMax { state.wanted = [] }
            return state.wanted.insert(key).inserted
        }
    }

    private static let wantedMax = 4096

    /// Takes note that streams have been written into history: views computed over them may have become others.
    func historyMoved() {
        state.withLock { state in
            let isRead = state.catalogue.views.values.contains { !state.catalogue.isStreamed($0) }
            if isRead { state.generation += 1 }
        }
    }

    /// Puts definitions in force. Values of views that did not change stay valid.
    public func use(_ catalogue: Catalogue, dataFolder: String) {
        state.withLock {
            $0.catalogue = catalogue
            $0.dataFolder = dataFolder
            $0.bound = nil
            $0.generation += 1
        }
    }

    /// Ingests one table, or all of them, in order of name.
    public func ingest(_ names: [String]? = nil, by principal: String) async throws -> [DatasetVersion] {
        let (catalogue, folder) = state.withLock { ($0.catalogue, $0.dataFolder) }
        let tables = try names?.map { try catalogue.table($0) } ?? catalogue.tables.values.sorted { $0.name < $1.name }
        var versions: [DatasetVersion] = []
        for table in tables {
            versions.append(try await datasets.ingest(table, from: folder, by: principal))
        }
        state.withLock { $0.generation += 1 }
        return versions
    }

    /// Takes over dataset versions that another process of the factory has ingested.
    public func follow() async throws {
        guard let bound = state.withLock({ $0.bound }) else { return }
        let latest = try await datasets.latest().mapValues(\.digest)
        guard bound.contains(where: { latest[$0.key] != $0.value }) else { return }
        state.withLock { $0.generation += 1 }
    }

    /// The newest dataset version of every defined table.
    ///
    /// - Throws: ``DatasetsFailure/notIngested(table:)``.
    public func datasetVersions() async throws -> [String: DatasetVersion] {
        let latest = try await datasets.latest()
        var versions: [String: DatasetVersion] = [:]
        for name in catalogue.tables.keys.sorted() {
            guard let version = latest[name] else { throw DatasetsFailure.notIngested(table: name) }
            versions[name] = version
        }
        return versions
    }

    /// Makes the engine's tables and event sources show the newest dataset versions.
    @discardableResult
    func bind() async throws -> [String: DatasetVersion] {
        // Two that make the same tables at the same time would stand in each other's way.
        try await onlineState.binding.run { try await bindNewest() }
    }

    private func bindNewest() async throws -> [String: DatasetVersion] {
        let versions = try await datasetVersions()
        let digests = versions.mapValues(\.digest)
        let catalogue = catalogue
        let segments = try await newestSegments()
        let streams = segments.mapValues { Self.digest(of: $0) }
        let (bound, boundStreams) = state.withLock { ($0.bound, $0.boundStreams) }
        if bound == digests, boundStreams == streams { return versions }
        var changed = bound == nil ? Set(streams.keys) : Set(streams.keys.filter { streams[$0] != boundStreams[$0] })
        for (name, version) in versions.sorted(by: { $0.key < $1.key }) where bound != digests {
            let path = try await objects.localPath(version.digest)
            try await engine.execute(
                "CREATE OR REPLACE VIEW \(SQLText.identifier(name)) AS "
                    + "SELECT * FROM read_parquet(\(SQLText.literal(path)))", context: "data/\(name)")
        }
        for events in try catalogue.eventsInOrder() {
            if let stream = events.stream {
                guard changed.contains(events.name) else { continue }
                try await bind(events, stream, segments[events.name] ?? [])
            } else if bound != digests || !changed.isDisjoint(with: catalogue.namesRead(by: events.name)) {
                try await bind(events)
                changed.insert(events.name)
            }
        }
        state.withLock {
            $0.bound = digests
            $0.boundStreams = streams
        }
        return versions
    }

    private func newestSegments() async throws -> [String: [StreamSegment]] {
        var segments: [String: [StreamSegment]] = [:]
        for events in catalogue.events.values where events.stream != nil {
            segments[events.name] = try await self.segments(of: events.name)
        }
        return segments
    }

    /// What there is of the streams that event sources read, as deep as they go; of all for nil.
    func newestStreams(readBy sources: [String]?) async throws -> [String: Digest] {
        streams(try await newestSegments().mapValues { Self.digest(of: $0) }, readBy: sources)
    }

    /// What the engine's tables show of them.
    func boundStreams(readBy sources: [String]?) -> [String: Digest] {
        streams(state.withLock { $0.boundStreams }, readBy: sources)
    }

    private func streams(_ streams: [String: Digest], readBy sources: [String]?) -> [String: Digest] {
        guard let sources else { return streams }
        let names = catalogue.streams(readBy: sources)
        return streams.filter { names.contains($0.key) }
    }

    /// The service's reader for the hot path.
    public func onlineService(_ name: String) throws -> OnlineService {
        let catalogue = catalogue
        return try OnlineService(try catalogue.service(name), catalogue: catalogue, store: online, table: onlineTable)
    }
}
