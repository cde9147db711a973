import Basics
import Columnar
import Configuration
import Datasets
import Features
import Foundation
import Journal
import KeyValue
import ObjectStorage
import SQL
import Streams
import Synchronization
import Telemetry
import TestSupport

/// `stream [--rate N] [--seconds N] [--size N] [--writers N] [--history N]`: events pushed at a rate until they are
/// readable online, and the history of windows over many events.
struct StreamBench {
    static func run(_ words: [String]) async throws {
        func number(_ name: String, _ value: Int) -> Int {
            words.firstIndex(of: name).flatMap { $0 + 1 < words.count ? Int(words[$0 + 1]) : nil } ?? value
        }
        let rate = number("--rate", 5000)
        let size = max(1, number("--size", 1))
        let writers = max(1, number("--writers", 64))
        let seconds = number("--seconds", 10)
        let events = number("--history", 1_000_000)
        let folder = try TemporaryFolder()
        let path = folder.path
        for name in ["objects", "online", "scratch"] { try folder.write("", to: "\(name)/.keep") }
        let database = try await Database.open(at: "\(path)/works.db")
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations + FeatureStore.migrations)
        let online = try LMDBStore(path: "\(path)/online", durable: false)
        let store = FeatureStore(
            database: database, objects: try FileObjectStore(root: "\(path)/objects"),
            engine: ColumnarEngine(
                ColumnarOptions(memoryLimitBytes: 300 << 20, temporaryDirectory: "\(path)/scratch")),
            online: online, onlineTable: try await online.table("features"), time: SystemTime(),
            random: SystemRandom(), scratch: "\(path)/scratch")
        let metrics = MetricsRegistry()
        let url = try StoreURL("log:\(path)/streams?durable=true", secrets: SecretSource(environment: [:]))
        let streams = FeatureStreams(features: store, metrics: metrics) {
            try await Streams.open(url, time: SystemTime(), logger: .silent, metrics: metrics)
        }
        store.use(
            try Catalogue(FactoryDocuments(files: files(events: events), environment: [:])), dataFolder: path)
        let running = Task { await streams.run { true } }
        _ = try await streams.push("clicks", rows(1))
        let pause = Double(writers * size) / Double(rate)
        let samples = try await withThrowingTaskGroup(of: [Double].self) { group in
            for writer in 0..<writers {
                group.addTask {
                    let clock = ContinuousClock()
                    var next = clock.now + .seconds(pause * Double(writer) / Double(writers))
                    let end = clock.now + .seconds(seconds)
                    var taken: [Double] = []
                    while next < end {
                        try await Task.sleep(until: next, clock: clock)
                        let pushed = try await streams.push("clicks", rows(size))
                        // From when it was to be pushed, so that a writer that waits hides nothing.
                        let elapsed = clock.now - next
                        taken.append(
                            pushed.isApplied
                                ? Double(elapsed.components.attoseconds) / 1e15
                                    + Double(elapsed.components.seconds) * 1000 : .infinity)
                        next += .seconds(pause)
                    }
                    return taken
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }.sorted()
        }
        running.cancel()
        await running.value
        func at(_ share: Double) -> String {
            String(
                format: "%.1f",
                samples.isEmpty ? 0 : samples[min(samples.count - 1, Int(Double(samples.count) * share))])
        }
        BenchRow(
            what: "events pushed, \(size) at once, until they are readable in 2 views",
            ours: "\(samples.count * size / max(1, seconds)) events/s",
            latency: "\(at(0.5)) / \(at(0.99)) ms, longest \(at(1)) ms"
        ).show()
        let clock = ContinuousClock()
        if events > 0 {
            _ = try await store.datasetVersions()
            let begun = clock.now
            PeakMemory.reset()
            let histories = try await store.buildViews(by: "bench")
            let rows = histories.first { $0.view == "table_windows" }?.rows ?? 0
            BenchRow(
                what: "history of windows: \(events) events of 10,000 entities, \(rows) rows, all views",
                ours: "\(clock.now - begun)", memory: "\(PeakMemory.megabytes) MB"
            ).show()
        }
        await streams.close()
        await database.close()
        try await online.close()
    }

    @Sendable private static func rows(_ count: Int) throws -> FeatureRows {
        let now = SystemTime().now
        return try FeatureRows([
            ("user", (0..<count).map { _ in .scalar(.integer(Int64.random(in: 0..<10_000))) }),
            ("at", Array(repeating: .scalar(.timestamp(now)), count: count)),
            ("amount", (0..<count).map { _ in .scalar(.double(Double.random(in: 0..<100))) }),
        ])
    }

    private static func files(events: Int) -> [String: String] {
        let windows = """
            aggregations: {n: {count: "*", over: [1h, 1d]}, spent: {sum: amount, over: [1h, 1d]},
                           typical: {mean: amount, over: 1d}, spread: {std: amount, over: 1d},
                           most: {max: amount, over: 1h}, last: {last: amount, over: 1d}}
            """
        return [
            "works.yaml": "name: bench",
            "data/clicks.yaml": """
            kind: events
            name: clicks
            owner: b
            stream: {columns: {user: integer, at: timestamp, amount: double}}
            event_time: at
            """,
            "data/rows.yaml":
                "{kind: events, name: rows, owner: b, sql: rows.sql, event_time: at, available_at: at}",
            "data/rows.sql": """
            SELECT CAST(hash(n) % 10000 AS BIGINT) AS "user",
                   TIMESTAMP '2026-01-01' + to_microseconds(CAST(n AS BIGINT) * 2500000) AS "at",
                   hash(n + 1) / 18446744073709551615.0 AS amount
            FROM (SELECT range AS n FROM range(\(events)))
            """,
            "features/user.yaml": "{kind: entity, name: user, owner: b, join_keys: [user]}",
            "features/windows.yaml": """
            kind: view
            name: windows
            owner: b
            entities: [user]
            source: clicks
            \(windows)
            tile: 10m
            ttl: none
            """,
            "features/table_windows.yaml": """
            kind: view
            name: table_windows
            owner: b
            entities: [user]
            source: rows
            \(windows)
            tile: 10m
            ttl: none
            """,
            "features/newest.yaml": """
            kind: view
            name: newest
            owner: b
            entities: [user]
            source: clicks
            features: {amount: double}
            ttl: 1h
            """,
        ]
    }
}
