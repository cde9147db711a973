import Basics
import KeyValue

/// Three entries for each item and a counter for each writer, in one change that reads the counter.
struct KeyValueStorm: StormStore {
    private let store: any KeyValueStore
    private let table: KeyValueTable
    private static let most = 2000

    init(_ url: StoreURL) async throws {
        store = try await KeyValueStores.open(url, metrics: nil)
        table = try await store.table("storm")
    }

    func put(_ item: StormItem) async throws {
        let (table, bytes) = (table, item.bytes(most: Self.most))
        let counter = Array("count/\(item.run)-\(item.writer)".utf8)
        try await store.write { change in
            let before = try change.value(counter, in: table).flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
            try change.put(Array("item/\(item)".utf8), bytes, in: table)
            try change.put(Array("one/\(item)".utf8), [1], in: table)
            try change.put(Array("two/\(item)".utf8), [2], in: table)
            try change.put(counter, Array("\(before + 1)".utf8), in: table)
        }
    }

    func survey() async throws -> StormSurvey {
        let (store, table) = (store, table)
        let entries = try await BlockingThread(name: "storm.survey").run {
            try store.read { try $0.entries(prefix: [], in: table) }
        }
        var survey = StormSurvey()
        var found: [String: Set<String>] = [:]
        var counters: [String: Int] = [:]
        for (key, value) in entries {
            let parts = String(decoding: key, as: UTF8.self).split(separator: "/").map(String.init)
            guard parts.count == 2 else {
                survey.faults.append("a key of nobody's")
                continue
            }
            found[parts[0], default: []].insert(parts[1])
            if parts[0] == "item" { survey.add(value, most: Self.most) }
            if parts[0] == "count" { counters[parts[1]] = Int(String(decoding: value, as: UTF8.self)) ?? -1 }
        }
        let names = Set(survey.items.map(\.description))
        for part in ["item", "one", "two"] where found[part, default: []] != names {
            survey.faults.append("\(names.count) items have \(found[part, default: []].count) of the part '\(part)'")
        }
        let written = Dictionary(grouping: survey.items) { "\($0.run)-\($0.writer)" }.mapValues(\.count)
        if written != counters { survey.faults.append("the counters show \(counters) for \(written)") }
        return survey
    }

    func close() async { try? await store.close() }
}
