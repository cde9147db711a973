import Basics
import Columnar
import Datasets
import Features
import Foundation

/// One view that is brought online from history, as a whole, by windows of event time and by what became known since, while
/// rows are pushed to it.
///
/// Which row an item pushes, or up to when it materialises, follows from its name. So what is online tells for each item
/// whether it is there or was replaced by something newer.
struct FeatureValueStorm: StormStore {
    private let factory: StormFactory
    private static let view = "state"
    private static let entities = 8000
    /// Entities that are pushed to, so few that pushes meet each other and what is materialised.
    private static let pushed: UInt64 = 8
    private static let rowsPerEntity = 3
    private static let start = Timestamp(seconds: 1_704_067_200)
    /// All rows of the history are known by then.
    private static let minutes: Int64 = 1100

    /// By what rows are compared: microseconds since 1970 of the event time and of the created time.
    private struct Stamp: Comparable {
        var event: Int64
        var created: Int64

        var knowable: Int64 { max(event, created) }

        static func < (left: Stamp, right: Stamp) -> Bool {
            (left.event, left.created) < (right.event, right.created)
        }
    }

    private enum Action {
        case push(entity: Int, Stamp)
        case materialise(from: Int64?, to: Int64, incremental: Bool)
    }

    init(folder: String) async throws {
        // So few rows at a time that most kills fall between two changes of one materialisation.
        factory = try await StormFactory(folder: folder, definitions: Self.definitions, batchRows: 2000)
    }

    private static func moment(_ minutes: Int64) -> Int64 { start.microseconds + minutes * 60_000_000 }

    private static func action(_ item: StormItem) -> Action {
        let chance = SplitMix.hash(item.description)
        func part(_ number: UInt64, below bound: UInt64) -> Int64 {
            Int64(SplitMix.mix(chance &+ number) % bound)
        }
        switch (item.number + item.writer) % 4 {
        case 0, 2:
            // Half a minute beside all rows of the history, so that no two are equal.
            let event = moment(part(1, below: UInt64(minutes))) + 30_000_000 + part(2, below: 1_000_000)
            return .push(
                entity: Int(part(3, below: pushed)),
                Stamp(event: event, created: event + part(4, below: 90) * 60_000_000))
        case let turn:
            let to = min(Int64(item.run % 10) * 110 + Int64(item.number) * 11 + part(5, below: 11), minutes)
            guard turn == 1 else { return .materialise(from: nil, to: moment(to), incremental: true) }
            return .materialise(
                from: part(6, below: 2) == 0 ? nil : moment(to - 300), to: moment(to), incremental: false)
        }
    }

    func put(_ item: StormItem) async throws {
        switch Self.action(item) {
        case .push(let entity, let stamp):
            func time(_ moment: Int64) -> FeatureValue { .scalar(.timestamp(Timestamp(microseconds: moment))) }
            _ = try await factory.features.pushOnline(
                Self.view,
                FeatureRows([
                    ("entity", [.scalar(.integer(Int64(entity)))]), ("happened", [time(stamp.event)]),
                    ("known", [time(stamp.created)]), ("item", [.scalar(.string(item.description))]),
                ]))
        case .materialise(_, let to, true):
            _ = try await factory.features.materializeIncremental(
                [Self.view], to: Timestamp(microseconds: to), by: "storm")
        case .materialise(let from, let to, false):
            _ = try await factory.features.materialize(
                [Self.view], from: from.map { Timestamp(microseconds: $0) }, to: Timestamp(microseconds: to),
                by: "storm")
        }
    }

    /// What was broken off is resumed, and all that is known is brought online.
    func finish() async throws {
        _ = try await factory.features.materializeIncremental([Self.view], by: "storm")
        let faults = try await survey(known: .max).faults
        if let fault = faults.first { throw StormFailure.stuck("a resumed materialisation: \(fault)") }
    }

    func survey() async throws -> StormSurvey { try await survey(known: nil) }

    /// - Parameter known: every entity must hold the newest row that is known by then, or a newer one.
    private func survey(known: Int64?) async throws -> StormSurvey {
        let history = try await history()
        let online = try await online()
        var survey = StormSurvey()
        var stamps: [Stamp?] = []
        for (entity, found) in online.enumerated() {
            guard let found else {
                stamps.append(nil)
                continue
            }
            var stamp: Stamp?
            if let item = StormItem(found.item) {
                survey.items.append(item)
                if case .push(entity, let pushed) = Self.action(item) { stamp = pushed }
            } else {
                stamp = history[entity].first { $0.item == found.item }?.stamp
            }
            if stamp?.event != found.event {
                survey.faults.append("entity \(entity) has '\(found.item)' of \(found.event), which is no row of it")
            }
            stamps.append(stamp)
        }
        let held = stamps
        @Sendable func lacking(from: Int64?, to: Int64) -> Int? {
            zip(history, held).enumerated().first { _, entity in
                entity.0.contains { row in
                    row.stamp.knowable <= to && row.stamp.event >= from ?? .min
                        && entity.1.map { $0 < row.stamp } ?? true
                }
            }?.offset
        }
        survey.holds = { item in
            switch Self.action(item) {
            case .push(let entity, let stamp): held[entity].map { $0 >= stamp } ?? false
            case .materialise(let from, let to, _): lacking(from: from, to: to) == nil
            }
        }
        if let known, let entity = lacking(from: nil, to: known) {
            survey.faults.append(
                "entity \(entity) has not the last row of its history, but \(online[entity]?.item ?? "none")")
        }
        return survey
    }

    /// The rows of the event source by entity: all of them, none pruned.
    private func history() async throws -> [[(item: String, stamp: Stamp)]] {
        let table = try await factory.features.events("facts", columns: ["entity", "happened", "known", "item"])
        var rows: [[(item: String, stamp: Stamp)]] = Array(repeating: [], count: Self.entities)
        let times = zip(try table.timestamps("happened"), try table.timestamps("known"))
        for ((entity, item), (event, created)) in zip(
            zip(try table.integers("entity"), try table.strings("item")), times)
        {
            guard let entity, let item, let event, let created, rows.indices.contains(Int(entity)) else { continue }
            rows[Int(entity)].append((item, Stamp(event: event.microseconds, created: created.microseconds)))
        }
        return rows
    }

    private func online() async throws -> [(item: String, event: Int64)?] {
        let reader = try await factory.features.onlineReader(.features([Self.view]))
        var keys = OnlineKeys(keysPerEntity: 1)
        for entity in 0..<Self.entities { keys.append(.integer(Int64(entity))) }
        return try reader.read(keys, at: SystemTime().now.microseconds) { batch in
            (0..<Self.entities).map { entity in
                let value = batch.value(0, of: entity)
                guard case .scalar(.string(let item)) = value.cell.value, let event = value.eventTime else {
                    return nil
                }
                return (item, event)
            }
        }
    }

    func close() async { await factory.close() }

    private static let definitions = [
        "works.yaml": "name: storm",
        "data/facts.yaml": """
        {kind: events, name: facts, owner: storm, sql: facts.sql, event_time: happened, available_at: known}
        """,
        "data/facts.sql": """
        SELECT CAST(e AS BIGINT) AS entity,
               TIMESTAMP '2024-01-01' + INTERVAL 1 MINUTE * ((e * 7919 + j * 104729) % 1000) AS happened,
               happened + INTERVAL 1 MINUTE * ((e * 31 + j * 17) % 97) AS known, format('row {} {}', e, j) AS item
        FROM range(\(entities)) AS entities(e), range(\(rowsPerEntity)) AS numbers(j)
        """,
        "features/thing.yaml": "{kind: entity, name: thing, owner: storm, join_keys: [entity]}",
        "features/state.yaml": """
        kind: view
        name: \(view)
        owner: storm
        entities: [thing]
        sources: [facts]
        sql: state.sql
        event_time: happened
        created_time: known
        ttl: none
        features: {item: string}
        """,
        "features/state.sql": "SELECT * FROM facts",
    ]
}
