import Basics
import Columnar
import Configuration
import Datasets
import Foundation
import Journal
import KeyValue
import ObjectStorage
import SQL
import Streams
import Telemetry
import TestSupport
import Testing

@testable import Features

/// A factory with a stream of clicks, whose clock the test sets.
struct StreamFactory {
    let folder: TemporaryFolder
    let store: FeatureStore
    let streams: FeatureStreams
    let database: Database
    let online: any KeyValueStore
    let clock: ManualTime
    let objects: any ObjectStore
    let engine: ColumnarEngine

    /// - Parameters:
    ///   - topic: whether the stream is read from a topic.
    ///   - tile: the grain of the windows of `recent`.
    init(at now: String = "2024-03-01T00:00:00Z", topic: Bool = false, tile: String = "10m") async throws {
        folder = try TemporaryFolder()
        let path = folder.path
        for name in ["objects", "online", "scratch", "data"] { try folder.write("", to: "\(name)/.keep") }
        database = try await Database.open(at: "\(path)/works.db")
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations + FeatureStore.migrations)
        online = try LMDBStore(path: "\(path)/online", durable: false)
        let clock = ManualTime(Timestamp(now) ?? Timestamp(seconds: 0))
        self.clock = clock
        objects = try FileObjectStore(root: "\(path)/objects")
        engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: "\(path)/scratch"))
        store = FeatureStore(
            database: database, objects: objects, engine: engine, online: online,
            onlineTable: try await online.table("features"), time: clock, random: SystemRandom(),
            scratch: "\(path)/scratch")
        let url = try StoreURL("log:\(path)/streams", secrets: SecretSource(environment: [:]))
        let metrics = MetricsRegistry()
        streams = FeatureStreams(features: store, metrics: metrics) {
            try await Streams.open(url, time: clock, logger: .silent, metrics: metrics)
        }
        var files = Self.definitions
        if topic {
            files["data/clicks.yaml"] = files["data/clicks.yaml"]?.replacingOccurrences(
                of: "stream:\n", with: "stream:\n  topic: raw\n")
        }
        files["features/recent.yaml"] = files["features/recent.yaml"]?.replacingOccurrences(
            of: "tile: 10m", with: "tile: \(tile)")
        store.use(try Catalogue(FactoryDocuments(files: files, environment: [:])), dataFolder: "\(path)/data")
    }

    func close() async {
        await streams.close()
        await database.close()
        try? await online.close()
    }

    /// Another online store beside the same history, to materialise into.
    func beside() async throws -> FeatureStore {
        try folder.write("", to: "beside/.keep")
        let other = try LMDBStore(path: "\(folder.path)/beside", durable: false)
        let store = FeatureStore(
            database: database, objects: objects, engine: engine, online: other,
            onlineTable: try await other.table("features"), time: clock, random: SystemRandom(),
            scratch: "\(folder.path)/scratch")
        store.use(self.store.catalogue, dataFolder: "\(folder.path)/data")
        return store
    }

    /// Takes in all that has been pushed, and lets values change that do so by the clock, without a task of its own.
    func catchUp() async throws {
        let (_, source) = try streams.source("clicks")
        let opened = try await streams.opened([source.topic])
        for view in try streams.views(of: source) {
            let ingestion = ViewIngestion(
                view, features: store, streams: opened.streams, table: opened.table, progress: streams.progress,
                metrics: IngestionMetrics(MetricsRegistry(), view: view.view.name, source: "clicks"))
            while true {
                let step = try await ingestion.step(wait: .zero)
                if step == .nothing { break }
                if step == .clockNeeded {
                    try await opened.streams.publish(
                        [StreamRecord(value: StreamBatch(stamp: clock.now.microseconds).encoded())],
                        to: source.topic)
                }
            }
        }
    }

    /// Keeps events in the log without waiting for what comes of them.
    func keep(_ rows: [[ScalarValue]], target: StreamBatch.Target = .both) async throws {
        let (_, source) = try streams.source("clicks")
        let batch = StreamBatch(
            stamp: clock.now.microseconds, target: target, columns: source.definition.columns.map(\.name), rows: rows)
        try await streams.opened([source.topic]).streams.publish(batch.records(), to: source.topic)
    }

    /// The values of all features of views for users, as they are online at a moment.
    static func values(
        _ store: FeatureStore, _ views: [String], users: [String], at moment: Timestamp
    ) async throws -> [String: [FeatureValue]] {
        let reader = try await store.onlineReader(.features(views))
        var keys = OnlineKeys(keysPerEntity: 1)
        for user in users { keys.append(.string(user)) }
        return try reader.read(keys, at: moment.microseconds) { batch in
            var found: [String: [FeatureValue]] = [:]
            for (index, user) in users.enumerated() {
                found[user] = reader.outputs.indices.map { output in
                    let value = batch.value(output, of: index)
                    return value.status == .present ? value.cell.value : .scalar(.string("\(value.status)"))
                }
            }
            return found
        }
    }

    static let columns = ["user", "at", "amount", "items", "page"]

    static let definitions = [
        "works.yaml": "name: streams",
        "data/clicks.yaml": """
        kind: events
        name: clicks
        owner: test
        stream:
          columns: {user: string, at: timestamp, amount: double, items: integer, page: string}
          lateness: 1h
        event_time: at
        """,
        "features/user.yaml": "{kind: entity, name: user, owner: test, join_keys: [user]}",
        "features/recent.yaml": """
        kind: view
        name: recent
        owner: test
        entities: [user]
        source: clicks
        aggregations:
          clicks: {count: "*", over: [1h, 6h, 1d]}
          spent: {sum: amount, over: [1h, 6h]}
          bought: {sum: items, over: [1h, 1d]}
          typical: {mean: amount, over: [1h, 6h]}
          spread: {std: amount, over: [6h, 1d]}
          least: {min: amount, over: [1h, 6h]}
          most: {max: items, over: [6h, 1d]}
          pages: {distinct: page, over: [6h, 1d]}
          page: {last: page, over: [1h, 1d]}
          amounts: {last_n: amount, n: 3, over: [1h, 6h]}
          seen: {last_n: page, n: 4, over: 1h}
          median: {percentile: amount, q: 0.5, over: [1h, 6h]}
        tile: 10m
        ttl: 2d
        """,
        "features/hourly.yaml": """
        kind: view
        name: hourly
        owner: test
        entities: [user]
        source: clicks
        aggregations:
          clicks: {count: "*", over: 3h}
          spent: {sum: amount, over: 3h}
        every: 1h
        ttl: none
        """,
        "features/newest.yaml": """
        kind: view
        name: newest
        owner: test
        entities: [user]
        source: clicks
        features: {amount: double, page: string}
        ttl: 6h
        """,
    ]
}

/// Waits until a condition holds, for ten seconds at most.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while true {
        if try await condition() { return }
        guard ContinuousClock.now < deadline else {
            Issue.record("not within ten seconds: \(what)")
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
