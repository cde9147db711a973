import Basics
import Columnar
import Datasets
import Features
import Foundation
import Streams
import Telemetry

/// Events pushed to a stream, for online, for history or for both, while it is brought online and into history.
///
/// Each item is an event of its writer. What is meant for both must be in history, and counted online once; what is meant
/// for history only must not be online; what is meant for online only is told by what is counted there.
struct FeatureStreamStorm: StormStore {
    private let factory: StormFactory
    private let streams: FeatureStreams
    private static let most = 100

    private enum Target: String, CaseIterable {
        case both = "online_and_offline"
        case online, offline

        init(_ number: Int) { self = Self.allCases[number % Self.allCases.count] }
    }

    private var features: FeatureStore { factory.features }

    init(folder: String) async throws {
        factory = try await StormFactory(folder: folder, definitions: Self.definitions)
        let log = try StoreURL("log:\(folder)/streams", secrets: SecretSource(environment: [:]))
        let metrics = MetricsRegistry()
        streams = FeatureStreams(features: factory.features, metrics: metrics) {
            try await Streams.open(log, time: SystemTime(), logger: .silent, metrics: metrics)
        }
    }

    func put(_ item: StormItem) async throws {
        let target = Target(item.number)
        _ = try await streams.push(
            "items",
            try FeatureRows(objects: [
                .object([
                    "writer": .string("\(item.run)-\(item.writer)-\(target)"),
                    "at": .string(SystemTime().now.description), "number": .integer(Int64(item.number)),
                    "item": .string(Data(item.bytes(most: Self.most)).base64EncodedString()),
                ])
            ]), to: target.rawValue)
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
        let table = try await features.events("items", columns: ["item", "writer", "number"])
        var counts: [String: Count] = [:]
        for (item, (writer, number)) in zip(
            try table.strings("item"), zip(try table.strings("writer"), try table.integers("number")))
        {
            survey.add([UInt8](Data(base64Encoded: item ?? "") ?? Data()), most: Self.most)
            guard let writer, let number else { continue }
            if counts[writer, default: Count()].add(number) { continue }
            survey.faults.append("\(number) of \(writer) is out of order in history")
        }
        try await compare(counts, &survey)
        return survey
    }

    /// What is online of a writer.
    private struct Count: Equatable {
        var items: Int64 = 0
        var sum: Int64 = 0
        var last: Int64 = -1

        /// - Returns: whether it comes after all before it.
        mutating func add(_ number: Int64) -> Bool {
            defer { last = max(last, number) }
            items += 1
            sum += number
            return number > last
        }
    }

    /// Compares what is online with the counts of what is in history, and adds the items that are only online.
    private func compare(_ counts: [String: Count], _ survey: inout StormSurvey) async throws {
        let writers = Set(counts.keys.compactMap { $0.split(separator: "-").prefix(2).joined(separator: "-") })
        let known = writers.sorted().flatMap { writer in Target.allCases.map { (writer, $0) } }
        let reader = try await features.onlineReader(.features(["totals", "newest"]))
        var keys = OnlineKeys(keysPerEntity: 1)
        for (writer, target) in known { keys.append(.string("\(writer)-\(target)")) }
        let found = try reader.read(keys, at: SystemTime().now.microseconds) { batch in
            known.indices.map { index in
                func number(_ feature: String) -> Int64? {
                    guard let output = reader.outputs.firstIndex(where: { $0.feature == feature }),
                        case .scalar(.integer(let number)) = batch.value(output, of: index).cell.value
                    else { return nil }
                    return number
                }
                return Count(items: number("items") ?? 0, sum: number("sum") ?? 0, last: number("number") ?? -1)
            }
        }
        for ((writer, target), found) in zip(known, found) {
            let kept = counts["\(writer)-\(target)"] ?? Count()
            var wanted = Count()
            switch target {
            case .both: wanted = kept
            case .offline: break
            case .online:
                if kept != Count() { survey.faults.append("events of \(writer) for online only are in history") }
                // Its writer sent each of them after the one before was acknowledged.
                for number in stride(from: 0, through: found.last, by: 1) where Target(Int(number)) == .online {
                    _ = wanted.add(number)
                    if let item = StormItem("\(writer)-\(number)") { survey.items.append(item) }
                }
            }
            guard found != wanted else { continue }
            survey.faults.append("\(writer)-\(target) has \(found) online in place of \(wanted)")
        }
    }

    func close() async {
        await streams.close()
        await factory.close()
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
