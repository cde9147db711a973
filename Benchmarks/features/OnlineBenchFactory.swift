import Basics
import Columnar
import Configuration
import Datasets
import Engines
import Features
import Foundation
import Journal
import KeyValue
import ObjectStorage
import SQL
import TestSupport

/// A feature store whose views have many entities and ten features of doubles, made by the engine itself.
struct OnlineBenchFactory {
    let folder: TemporaryFolder
    let store: FeatureStore
    let online: any KeyValueStore
    let database: Database
    let redis: RedisServer?
    static let now = Timestamp("2026-01-21T00:00:00Z") ?? .distantPast
    static let table = "features"

    /// - Parameters:
    ///   - entities: rows of each view; keys are whole numbers from 0.
    ///   - perEntity: rows of each entity.
    ///   - views: how many, named `v0`, `v1`, ….
    init(entities: Int, perEntity: Int = 1, views: Int = 1, onRedis: Bool = false) async throws {
        folder = try TemporaryFolder()
        let path = folder.path
        for name in ["objects", "online", "scratch"] { try folder.write("", to: "\(name)/.keep") }
        database = try await Database.open(at: "\(path)/works.db")
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations + FeatureStore.migrations)
        if onRedis {
            let server = try RedisServer(folder: path)
            redis = server
            online = try await KeyValueStores.open(
                StoreURL("redis://127.0.0.1:\(server.port)?pool=16", secrets: SecretSource(environment: [:])),
                metrics: nil)
        } else {
            redis = nil
            online = try LMDBStore(path: "\(path)/online", durable: false)
        }
        store = FeatureStore(
            database: database, objects: try FileObjectStore(root: "\(path)/objects"),
            engine: ColumnarEngine(
                ColumnarOptions(memoryLimitBytes: 300 << 20, temporaryDirectory: "\(path)/scratch")),
            online: online, onlineTable: try await online.table(Self.table), time: ManualTime(Self.now),
            random: SystemRandom(), scratch: "\(path)/scratch")
        store.use(
            try Catalogue(
                FactoryDocuments(
                    files: Self.files(entities: entities, perEntity: perEntity, views: views), environment: [:])),
            dataFolder: path)
        _ = try await store.buildViews(by: "bench")
    }

    func close() async throws {
        await database.close()
        try await online.close()
    }

    static func files(entities: Int, perEntity: Int, views: Int) -> [String: String] {
        var files = [
            "works.yaml": "name: bench",
            "features/driver.yaml": "{kind: entity, name: driver, owner: b, join_keys: [driver]}",
        ]
        let columns = (0..<10).map { "hash(n + \($0)) / 18446744073709551615.0 AS f\($0)" }.joined(separator: ", ")
        let features = (0..<10).map { "f\($0): double" }.joined(separator: ", ")
        for view in 0..<views {
            // Neither the order of the keys nor that of the times helps the store.
            files["data/e\(view).yaml"] =
                "{kind: events, name: e\(view), owner: b, sql: e\(view).sql, event_time: at, available_at: at}"
            files["data/e\(view).sql"] = """
                SELECT CAST(hash(n) % \(entities) AS BIGINT) AS spread, CAST(n % \(entities) AS BIGINT) AS driver,
                       TIMESTAMP '2026-01-01' + to_microseconds(CAST((hash(n + \(view)) % 1000000000000) AS BIGINT)) AS at,
                       \(columns)
                FROM (SELECT range AS n FROM range(\(entities * perEntity)))
                """
            files["features/v\(view).yaml"] = """
                {kind: view, name: v\(view), owner: b, entities: [driver], sources: [e\(view)], sql: v\(view).sql,
                 event_time: at, ttl: none, features: {\(features)}}
                """
            files["features/v\(view).sql"] = "SELECT * FROM e\(view)"
        }
        return files
    }
}

/// Memory of this process, in megabytes.
enum PeakMemory {
    /// Forgets the peak of the resident memory.
    static func reset() { try? "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8) }

    /// The largest resident memory since ``reset()``, with the pages of mapped files.
    static var megabytes: Int { read("VmHWM:") }

    /// The resident memory now, without the pages of mapped files, which the system takes back when it needs them.
    static var anonymous: Int { read("RssAnon:") }

    private static func read(_ field: String) -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(field) } ?? ""
        return (line.split(separator: " ").compactMap { Int($0) }.first ?? 0) / 1024
    }
}

/// What this process has spent of processors.
enum ProcessorTime {
    /// User and system time so far, of all threads.
    static var seconds: Double {
        var usage = rusage()
        // RUSAGE_SELF; glibc declares it in a type that the function does not take.
        getrusage(0, &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}
