import Basics
import Columnar
import Datasets
import Features
import Foundation
import TestSupport

/// Many small cases of a point-in-time join in one: each has entities of its own, told apart by a join key.
///
/// Times are chosen where a microsecond decides: at events, at the moments rows were created, and a ttl after them, around
/// the nights in which New York changes its clocks.
struct HistoryCases {
    struct Row {
        var keys: [String?]
        var event: Int64
        var created: Int64
        var value: Double?
        var note: String?
        var count: Int64?
    }

    struct View {
        var name: String
        /// After the number of the case.
        var keys: [String]
        var hasCreated: Bool
        var isVisible: Bool
        var ttl: Int64?
        var rows: [Row] = []
    }

    /// One row that asks, with its keys by name.
    struct Asked {
        var label: Int64
        var number: String?
        var shop: String?
        var item: String?
        var other: String?
        var moment: Int64

        func key(_ name: String) -> String? {
            switch name {
            case "number": number
            case "shop": shop
            case "item": item
            default: other
            }
        }
    }

    /// A view as the service takes it.
    struct Taken {
        var view: Int
        var name: String
        var keys: [String: String] = [:]
    }

    var views: [View]
    var asked: [Asked] = []
    let taken: [Taken]
    /// The rows of each view by their keys, in their order.
    private var byKeys: [[[String]: [Row]]] = []

    /// - Parameter hasTies: whether rows of one entity may have equal event and created times.
    init(seed: UInt64, cases: Int, hasTies: Bool = true) {
        let random = SeededRandom(seed: seed)
        func below(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
        func one<Item>(_ items: [Item]) -> Item { items[below(items.count)] }
        let ttls: [Int64?] = [nil, 1, 90, 600, 3600, 86_400]
        views = [
            View(name: "plain", keys: ["shop"], hasCreated: false, isVisible: false, ttl: one(ttls)),
            View(name: "late", keys: ["shop"], hasCreated: true, isVisible: false, ttl: one(ttls)),
            View(name: "seen", keys: ["shop"], hasCreated: true, isVisible: true, ttl: one(ttls)),
            View(name: "pair", keys: ["shop", "item"], hasCreated: true, isVisible: false, ttl: one(ttls)),
        ]
        taken = [
            Taken(view: 0, name: "plain"), Taken(view: 1, name: "late"), Taken(view: 2, name: "seen"),
            Taken(view: 3, name: "pair"), Taken(view: 1, name: "others_late", keys: ["shop": "other"]),
        ]
        // Seven in the morning of 10 March 2024 and six of 3 November: two in New York, when its clocks change.
        let nights: [Int64] = [1_710_054_000_000_000, 1_730_613_600_000_000]
        let shops: [String?] = ["a", "b", "a", "b", "ä", nil]
        let items: [String?] = ["1", "2", "1", "2", nil]
        for number in 0..<cases {
            let night = one(nights)
            var moments: [Int64] = [night]
            for index in views.indices {
                let step = (views[index].ttl ?? 1200) * 500_000
                var used: Set<[String]> = []
                for _ in 0..<below(9) {
                    let event = night + Int64(below(13) - 6) * step + one([0, 0, 0, 1, -1])
                    let created = event + Int64(below(5) - 1) * step + one([0, 0, 0, 1, -1])
                    let keys = views[index].keys.map { $0 == "shop" ? one(shops) : one(items) }
                    moments += [event, max(event, created)] + (views[index].ttl.map { [event + $0 * 1_000_000] } ?? [])
                    let identity =
                        keys.map { $0 ?? "" } + ["\(event)"] + (views[index].hasCreated ? ["\(created)"] : [])
                    guard hasTies || used.insert(identity).inserted else { continue }
                    views[index].rows.append(
                        Row(
                            keys: ["\(number)"] + keys, event: event, created: created,
                            value: below(6) == 0 ? nil : Double(below(1_000_000)) / 8,
                            note: below(6) == 0 ? nil : "n\(below(1000))",
                            count: below(6) == 0 ? nil : Int64(below(1000))))
                }
            }
            for _ in 0..<(1 + below(4)) {
                let row = Asked(
                    label: Int64(asked.count), number: below(30) == 0 ? nil : "\(number)",
                    shop: below(12) == 0 ? "nowhere" : one(shops), item: one(items), other: one(shops),
                    moment: one(moments) + one([0, 0, 0, 1, -1, 700_000_000]))
                asked.append(row)
                if below(5) == 0 { asked.append(row) }
            }
        }
        // Rows of all cases mixed: their order among those of one entity is what may count.
        for index in views.indices {
            for last in stride(from: views[index].rows.count - 1, to: 0, by: -1) {
                views[index].rows.swapAt(last, below(last + 1))
            }
        }
        for last in stride(from: asked.count - 1, to: 0, by: -1) { asked.swapAt(last, below(last + 1)) }
        byKeys = views.map { view in
            var found: [[String]: [Row]] = [:]
            for row in view.rows { found[row.keys.compactMap { $0 }, default: []].append(row) }
            return found
        }
    }

    /// The row whose values an asked row gets, found by looking at all of its entity.
    func answer(_ asked: Asked, _ taken: Taken, lateData: FeatureView.LateData? = nil) -> Row? {
        let view = views[taken.view]
        var keys: [String] = []
        for name in ["number"] + view.keys {
            guard let key = asked.key(taken.keys[name] ?? name) else { return nil }
            keys.append(key)
        }
        let isVisible = lateData.map { $0 == .visible } ?? view.isVisible
        var best: Row?
        for row in byKeys[taken.view][keys] ?? [] {
            let knowable = view.hasCreated && !isVisible ? max(row.event, row.created) : row.event
            guard knowable <= asked.moment else { continue }
            if let ttl = view.ttl, row.event < asked.moment - ttl * 1_000_000 { continue }
            if let held = best {
                if row.event < held.event { continue }
                if row.event == held.event, view.hasCreated, row.created < held.created { continue }
            }
            best = row
        }
        return best
    }

    // MARK: - As files

    var definitions: [String: String] {
        var files = [
            "features/entities.yaml": "{kind: entity, name: shop, owner: test, join_keys: [number, shop]}",
            "features/items.yaml": "{kind: entity, name: item, owner: test, join_keys: [item]}",
        ]
        for view in views {
            let name = view.name
            let item = view.keys.contains("item") ? ", item: integer" : ""
            files["data/\(name).yaml"] = """
                kind: table
                name: rows_\(name)
                owner: test
                path: \(name).csv
                nulls: [NA]
                columns: {number: integer, shop: string\(item), happened: timestamp, made: timestamp,
                          arrived: timestamp, value: double, note: string, amount: integer}
                """
            files["data/events_\(name).yaml"] = """
                {kind: events, name: \(name)_events, owner: test, sql: \(name).sql, event_time: happened,
                 available_at: arrived}
                """
            files["data/\(name).sql"] = "SELECT * FROM rows_\(name)"
            files["features/\(name).yaml"] = """
                kind: view
                name: \(name)
                owner: test
                entities: [\(view.keys.contains("item") ? "shop, item" : "shop")]
                sources: [\(name)_events]
                sql: \(name).sql
                event_time: happened
                \(view.hasCreated ? "created_time: made" : "")
                late_data: \(view.isVisible ? "visible" : "hidden")
                ttl: \(view.ttl.map { "\($0)s" } ?? "none")
                features: {value: double, note: string, amount: integer}
                """
            files["features/\(name).sql"] = "SELECT * FROM \(name)_events"
        }
        let lines = taken.map {
            "{view: \(views[$0.view].name), as: \($0.name), keys: {\($0.keys.map { "\($0.key): \($0.value)" }.joined())}}"
        }
        files["features/service.yaml"] =
            "{kind: service, name: all, owner: test, views: [\(lines.joined(separator: ", "))]}"
        return files
    }

    var data: [String: String] {
        var files: [String: String] = [:]
        for view in views {
            let keys = ["number"] + view.keys
            var lines = [(keys + ["happened", "made", "arrived", "value", "note", "amount"]).joined(separator: ",")]
            for row in view.rows {
                var cells = row.keys.map { $0 ?? "" }
                cells += [row.event, row.created, max(row.event, row.created)].map(Self.utc)
                cells += [row.value.map { "\($0)" } ?? "", row.note ?? "", row.count.map { "\($0)" } ?? ""]
                lines.append(cells.joined(separator: ","))
            }
            files["\(view.name).csv"] = lines.joined(separator: "\n") + "\n"
        }
        return files
    }

    /// The asked rows as CSV, with the time in New York's clock and its offset, or without a zone in UTC.
    func csv(inNewYork: Bool) -> String {
        var lines = ["label,number,shop,item,other,moment"]
        for row in asked {
            let moment = inNewYork ? Self.newYork(row.moment) : String(Self.utc(row.moment).dropLast())
            let keys = [row.number, row.shop, row.item, row.other].map { $0 ?? "" }.joined(separator: ",")
            lines.append("\(row.label),\(keys),\(moment)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The asked rows as JSON lines, without a zone.
    var json: String {
        asked.map { row in
            func text(_ value: String?) -> String { value.map { "\"\($0)\"" } ?? "null" }
            return "{\"label\": \(row.label), \"number\": \(row.number ?? "null"), \"shop\": \(text(row.shop)), "
                + "\"item\": \(row.item ?? "null"), \"other\": \(text(row.other)), "
                + "\"moment\": \"\(Self.utc(row.moment).dropLast())\"}"
        }.joined(separator: "\n") + "\n"
    }

    static func utc(_ moment: Int64) -> String { Timestamp(microseconds: moment).description }

    private static func newYork(_ moment: Int64) -> String {
        let zone = TimeZone(identifier: "America/New_York")
        let offset = zone?.secondsFromGMT(for: Date(timeIntervalSince1970: Double(moment / 1_000_000))) ?? 0
        let local = utc(moment + Int64(offset) * 1_000_000).dropLast().replacing("T", with: " ")
        let hours = -offset / 3600
        return "\(local)-\(hours < 10 ? "0" : "")\(hours):00"
    }

    // MARK: - Compared

    /// What differs between a result and the oracle, in words; empty where nothing does.
    func differences(in table: Table, lateData: FeatureView.LateData? = nil) throws -> [String] {
        var found: [String] = []
        guard table.rowCount == asked.count else { return ["\(table.rowCount) rows for \(asked.count)"] }
        let labels = try table.integers("label")
        for row in asked.indices where labels[row] != asked[row].label {
            found.append("row \(row) is not in its place")
        }
        for taken in taken {
            let values = try table.doubles("\(taken.name)__value")
            let notes = try table.strings("\(taken.name)__note")
            let counts = try table.integers("\(taken.name)__amount")
            for (row, asked) in asked.enumerated() {
                let expected = answer(asked, taken, lateData: lateData)
                let value = values[row].isNaN ? nil : values[row]
                guard value == expected?.value, notes[row] == expected?.note, counts[row] == expected?.count else {
                    found.append(
                        "\(taken.name) at \(Self.utc(asked.moment)) of \(asked): "
                            + "\(value as Any) \(notes[row] as Any) \(counts[row] as Any), not \(expected as Any)")
                    continue
                }
            }
        }
        return found
    }
}
