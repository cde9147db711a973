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
import Telemetry

/// Events pushed to a stream that is brought online and into history meanwhile. Each item is an event of its writer; the
/// values online must count each once.
struct FeatureStreamStorm: StormStore {
    private let features: FeatureStore
    private let streams: FeatureStreams
    private let database: Database
    private let online: any KeyValueStore
    private static let most = 100

    init(folder: String) async throws {
        for name in ["objects", "scratch", "data"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        database = try await Database.open(at: "\(folder)/works.db")
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations + FeatureStore.migrations)
        let environment = SecretSource(environment: [:])
        online = try await KeyValueStores.open(StoreURL("lmdb:\(folder)/online", secrets: environment), metrics: nil)
        features = FeatureStore(
            database: database, objects: try FileObjectStore(root: "\(folder)/objects"),
            engine: ColumnarEngine(ColumnarOptions(temporaryDirectory: "\(folder)/scratch")), online: online,
            onlineTable: try await online.table("features"), time: SystemTime(), random: SystemRandom(),
            scratch: "\(folder)/scratch")
        let log = try StoreURL("log:\(folder)/streams", secrets: environment)
        let metrics = MetricsRegistry()
        streams = FeatureStreams(features: features, metrics: metrics) {
            try await Streams.open(log, time: SystemTime(), logger: .silent, metrics: metrics)
        }
        features.use(
            try Catalogue(FactoryDocuments(files: Self.definitions, environment: [:])), dataFolder: "\(folder)/data")
    }

    func put(_ item: StormItem) async throws {
        _ = try await streams.push(
            "items",
            try FeatureRows(objects: [
                .object([
                    "writer": .string("\(item.run)-\(item.writer)"), "at": .string(SystemTime().now.description),
                    "number": .integer(Int64(item.number)),
                    "item": .string(Data(item.bytes(most: Self.most)).base64EncodedString()),
                ])
            ]))
    }

    func background(_ say: @escaping @Sendable ([StormItem]) -> Void) async throws {
        let streams = streams
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await streams.run { true } }
            group.addTask {
                while !Task.isCancelled {
                    try await streams.flush()
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            try await group.waitForAll()
        }
    }

    func survey() async throws -> StormSurvey {
        let streams = streams
        let running = Task { await streams.run { true } }
        let deadline = SystemTime.monotonicNanoseconds + 30_000_000_000
        while try await streams.status().contains(where: { $0.views.contains { $0.lag > 0 } }) {
            guard SystemTime.monotonicNanoseconds < deadline else { throw StormFailure.stuck("the streams' rest") }
            try await Task.sleep(for: .milliseconds(5))
        }
        running.cancel()
        await running.value
        try await streams.flush()
        var survey = StormSurvey()
        survey.isOrdered = true
        let table = try await features.events("items", columns: ["item", "writer", "number"])
        var counts: [String: (count: Int64, sum: Int64, last: Int64)] = [:]
        for (item, (writer, number)) in zip(
            try table.strings("item"), zip(try table.strings("writer"), try table.integers("number")))
        {
            survey.add([UInt8](Data(base64Encoded: item ?? "") ?? Data()), most: Self.most)
            guard let writer, let number else { continue }
            let before = counts[writer] ?? (0, 0, -1)
            counts[writer] = (before.count + 1, before.sum + number, max(before.last, number))
        }
        let reader = try await features.onlineReader(.features(["totals", "newest"]))
        var keys = OnlineKeys(keysPerEntity: 1)
        let writers = counts.keys.sorted()
        for writer in writers { keys.append(.string(writer)) }
        let faults = try reader.read(keys, at: SystemTime().now.microseconds) { batch in
            writers.indices.compactMap { index -> String? in
                let found = reader.outputs.indices.map { batch.value($0, of: index).cell.value }
                let wanted = counts[writers[index]] ?? (0, 0, -1)
                let expected = [wanted.count, wanted.sum, wanted.last].map { FeatureValue.scalar(.integer($0)) }
                return found == expected ? nil : "\(writers[index]) has \(found) online and \(expected) in history"
            }
        }
        survey.faults += faults
        return survey
    }

    func close() async {
        await streams.close()
        await database.close()
        try? await online.close()
    }

    private static let definitions = [
        "works.yaml": "name: storm",
        "data/items.yaml": """
        kind: events
        name: items
        owner: storm
        stream: {columns: {writer: string, at: timestamp, number: integer, item: string}}
        event_time: at
        """,
        "features/writer.yaml": "{kind: entity, name: writer, owner: storm, join_keys: [writer]}",
        "features/totals.yaml": """
        kind: view
        name: totals
        owner: storm
        entities: [writer]
        source: items
        aggregations:
          items: {count: "*", over: 30d}
          sum: {sum: number, over: 30d}
        tile: 1d
        ttl: none
        """,
        "features/newest.yaml": """
        kind: view
        name: newest
        owner: storm
        entities: [writer]
        source: items
        features: {number: integer}
        ttl: none
        """,
    ]
}
