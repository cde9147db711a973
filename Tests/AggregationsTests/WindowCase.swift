import Basics

@testable import Aggregations

/// A random plan with random events of one entity.
struct WindowCase {
    static let columns = [
        WindowColumn(name: "amount", type: .double), WindowColumn(name: "items", type: .integer),
        WindowColumn(name: "city", type: .string), WindowColumn(name: "ok", type: .boolean),
        WindowColumn(name: "at", type: .timestamp),
    ]
    static let choices: [(AggregateFunction, [String?])] = [
        (.count, [nil, "amount", "items", "city", "ok", "at"]), (.sum, ["amount", "items", "ok"]),
        (.mean, ["amount", "items", "ok"]), (.std, ["amount", "items", "ok"]),
        (.min, ["amount", "items", "city", "ok", "at"]), (.max, ["amount", "items", "city", "ok", "at"]),
        (.distinctCount, ["amount", "items", "city", "ok", "at"]), (.last, ["amount", "items", "city", "ok", "at"]),
        (.lastN(3), ["amount", "city"]), (.lastN(2), ["amount", "ok"]), (.percentile(0.5), ["amount", "items"]),
        (.percentile(0.9), ["amount", "ok"]), (.percentile(1), ["items"]), (.percentile(0), ["items"]),
    ]

    let plan: WindowPlan
    var events: [WindowEvent]

    init(_ random: inout TestRandom) throws {
        let tile = random.pick([1, 4, 5, 60] as [Int64])
        let every = random.pick([nil, nil, tile, tile * 3, 1, 7] as [Int64?])
        let longest = random.pick([3, 12, 40, 300] as [Int64])
        let windows = (0..<3).map { _ in random.within(1...longest) * tile }
        let features = (0..<(1 + random.below(9))).map { index in
            let (function, columns) = random.pick(WindowCase.choices)
            return WindowFeature(
                name: "f\(index)", function: function, column: random.pick(columns), window: random.pick(windows))
        }
        let lateness = random.pick([nil, nil, 0, tile, tile * 20] as [Int64?])
        plan = try WindowPlan(
            columns: WindowCase.columns, features: features, tile: tile, every: every, lateness: lateness)
        events = []
        var now = random.within(-100...100)
        let step = random.pick([1, 2, 9, 40] as [Int64]) * tile
        for index in 0..<random.below(40) {
            if !random.chance(30) { now += random.within(0...step) }
            let age = random.chance(40) ? random.within(0...(longest * tile + step)) : random.within(0...2)
            events.append(
                WindowEvent(
                    eventTime: now - age, availableTime: now, sequence: Int64(index), values: WindowCase.row(&random)))
        }
    }

    static func row(_ random: inout TestRandom) -> [ScalarValue] {
        let wide = random.chance(50) ? 1_000_000 : 5 as Int64
        let row: [ScalarValue] = [
            .double(Double(random.within(-wide...wide)) / WindowOracle.unit), .integer(random.within(-4...4)),
            .string(random.pick(["Oslo", "Rome", "\u{e9}", "e\u{301}", "", "Z"])), .boolean(random.chance(50)),
            .timestamp(Timestamp(microseconds: random.within(-3...3))),
        ]
        return row.map { value in
            guard random.chance(15) else { return value }
            if case .double = value, random.chance(50) { return .double(.nan) }
            return .null
        }
    }
}

/// The rows of one entity's events, in one go.
func history(_ plan: WindowPlan, _ events: [WindowEvent]) throws -> [WindowRow] {
    var builder = HistoryBuilder(plan: plan)
    var rows: [WindowRow] = []
    for event in events { try builder.add(key: [1], event) { rows.append($1) } }
    builder.finish { rows.append($1) }
    return rows
}
